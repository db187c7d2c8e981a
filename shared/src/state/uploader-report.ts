import { createHistogram, UPLOAD_BOUNDS_SECONDS, type HistogramState } from '../metrics/histogram.ts';

/** taking: it takes samples; away: it may do so again by itself; held: somebody has to change something; fault: ours. */
export type ReceiverCondition = 'unknown' | 'taking' | 'away' | 'held' | 'fault';

/** What the uploader's process has counted since it started. */
export interface UploadCounts {
  readonly uploaded: number;
  readonly failures: number;
  readonly partial: number;
  /** Bytes of requests, headers and tries that failed included. */
  readonly bytesSent: number;
  /** Seconds from a post to its answer, by UPLOAD_BOUNDS_SECONDS. */
  readonly durations: HistogramState;
}

/** One of the last uploads, or some that came right after each other and went alike. */
export interface UploadRecord {
  /** When the last of them ended, Unix milliseconds. */
  readonly atMs: number;
  readonly samples: number;
  readonly bytes: number;
  readonly outcome: 'delivered' | 'partial' | 'failed';
  /** Why it failed; else empty. */
  readonly reason: string;
  readonly times: number;
}

/** The health of the device as the uploader judged it, and the age of the oldest pending sample then; 0 if there was none. */
export interface Judgement {
  /** 0 ok, 1 degraded, 2 error. */
  readonly health: number;
  readonly oldestPendingSeconds: number;
}

/** What the uploader leaves in the database of itself: for the collector to store, and for `status` while it does not run. */
export interface UploaderReport {
  /** Unix milliseconds. */
  readonly writtenAtMs: number;
  readonly startedAtMs: number;
  /** Where its sidecar answers; undefined where it does not. */
  readonly endpoint: string | undefined;
  readonly counts: UploadCounts;
  readonly receiver: { readonly condition: ReceiverCondition; readonly reason: string; readonly sinceMs: number };
  /** The last upload that delivered something, Unix milliseconds. */
  readonly lastDelivery: { readonly atMs: number; readonly count: number; readonly bytesSent: number } | undefined;
  /** Newest first. */
  readonly uploads: readonly UploadRecord[];
  /** When samples were rejected last, Unix milliseconds; undefined for never. */
  readonly rejectedAtMs: number | undefined;
  /** Undefined in the report of a version that did not write it. */
  readonly judgement?: Judgement;
}

/** Counts of a process that has just begun. */
export const NO_UPLOADS: UploadCounts = {
  uploaded: 0,
  failures: 0,
  partial: 0,
  bytesSent: 0,
  durations: createHistogram(UPLOAD_BOUNDS_SECONDS),
};
