import { createHistogram, UPLOAD_BOUNDS_SECONDS, type HistogramState } from '../metrics/histogram.ts';
import {
  isAmount,
  isCount,
  isHistogram,
  isListOf,
  isObjectOf,
  isOneOf,
  isOptional,
  isText,
  isTime,
  type Guard,
  type StoredValues,
} from './stored-values.ts';
import { isUnhealthyComponents, type UnhealthyComponent } from './unhealthy-components.ts';
import { isVerificationState, type VerificationState } from './verification-state.ts';

/** taking: accepts samples; away: may recover by itself; held: an operator must change something; fault: the uploader failed. */
export type ReceiverCondition = 'unknown' | 'taking' | 'away' | 'held' | 'fault';

/** Counters of the uploader's process since its start. */
export interface UploadCounts {
  readonly uploaded: number;
  readonly failures: number;
  readonly partial: number;
  /** Bytes of requests, including headers and failed attempts. */
  readonly bytesSent: number;
  /** Seconds from a request to its response, by UPLOAD_BOUNDS_SECONDS. */
  readonly durations: HistogramState;
}

/** One of the last uploads, or several consecutive ones with the same outcome. */
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

/** The health of the device as the uploader judged it. */
export interface Judgement {
  /** 0 ok, 1 degraded, 2 error. */
  readonly health: number;
  /** Undefined in the report of a version that did not write it. */
  readonly unhealthy?: readonly UnhealthyComponent[] | undefined;
  /** 0 if nothing was pending. */
  readonly oldestPendingSeconds: number;
}

/** The report of the uploader in the database: the collector stores samples of it, and `status` reads it if no uploader runs. */
export interface UploaderReport {
  /** Unix milliseconds. */
  readonly writtenAtMs: number;
  readonly startedAtMs: number;
  /** URL of its status server; undefined if that does not listen. */
  readonly endpoint: string | undefined;
  /** Key by which that server proves to be this uploader's; undefined in the report of a version that had none. */
  readonly statusKey?: string;
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
  /** Undefined without verification in the background. */
  readonly verification?: VerificationState | undefined;
}

/** Counts of a process that has just begun. */
export const NO_UPLOADS: UploadCounts = {
  uploaded: 0,
  failures: 0,
  partial: 0,
  bytesSent: 0,
  durations: createHistogram(UPLOAD_BOUNDS_SECONDS),
};

const isUploadRecord = isObjectOf<UploadRecord>({
  atMs: isTime,
  samples: isCount,
  bytes: isCount,
  outcome: isOneOf<UploadRecord['outcome']>(['delivered', 'partial', 'failed']),
  reason: isText,
  times: isCount,
});

/** What the collector stores samples of. */
export type ReportedCounts = Pick<UploaderReport, 'counts' | 'judgement' | 'verification'>;

const collected = {
  counts: isObjectOf<UploadCounts>({
    uploaded: isCount,
    failures: isCount,
    partial: isCount,
    bytesSent: isCount,
    durations: isHistogram(UPLOAD_BOUNDS_SECONDS),
  }),
  judgement: isOptional(
    isObjectOf<Judgement>({
      health: isOneOf([0, 1, 2]),
      unhealthy: isOptional(isUnhealthyComponents),
      oldestPendingSeconds: isAmount,
    }),
  ),
  verification: isOptional(isVerificationState),
};
const isReportedCounts = isObjectOf<ReportedCounts>(collected);

const isReport = isObjectOf<UploaderReport>({
  ...collected,
  writtenAtMs: isTime,
  startedAtMs: isTime,
  endpoint: isOptional(isText),
  statusKey: isOptional(isText),
  receiver: isObjectOf<UploaderReport['receiver']>({
    condition: isOneOf<ReceiverCondition>(['unknown', 'taking', 'away', 'held', 'fault']),
    reason: isText,
    sinceMs: isTime,
  }),
  lastDelivery: isOptional(
    isObjectOf<NonNullable<UploaderReport['lastDelivery']>>({ atMs: isTime, count: isCount, bytesSent: isCount }),
  ),
  uploads: isListOf(isUploadRecord),
  rejectedAtMs: isOptional(isTime),
});

/** Reads the report; undefined if no uploader has written one, or it is unreadable. */
export function readReport(stored: unknown, values: StoredValues): UploaderReport | undefined {
  return parseReport<UploaderReport>(stored, isReport, values);
}

/** Reads what the collector stores of the report; undefined likewise. */
export function readReportedCounts(stored: unknown, values: StoredValues): ReportedCounts | undefined {
  return parseReport<ReportedCounts>(stored, isReportedCounts, values);
}

function parseReport<T>(stored: unknown, is: Guard<T>, values: StoredValues): T | undefined {
  if (stored === null || stored === undefined) return undefined;
  return values.parse<T | undefined>({ column: 'report' }, stored, is, undefined);
}
