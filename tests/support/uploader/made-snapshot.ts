import {
  COLLECTION_BOUNDS_SECONDS,
  createHistogram,
  observe,
  type HistogramState,
} from '@thugshells/shared/metrics/histogram.ts';
import { NO_UPLOADS } from '@thugshells/shared/state/uploader-report.ts';
import type { StorageState } from '@thugshells/shared/state/storage-state.ts';

import type { CollectorSnapshot, Snapshot } from '../../../uploader/src/telemetry/snapshot.ts';

/** The time of the snapshots in Unix milliseconds. */
export const NOW = 1_700_000_000_000;

export const LIMITS = {
  uploadIntervalMs: 30_000,
  healthDegradedPending: 5_000,
  healthErrorPending: 10_000,
  healthErrorAfterMs: 600_000,
  clockSkewWarnMs: 2_000,
};

/** Creates a histogram of durations in seconds. */
export function toHistogram(...seconds: readonly number[]): HistogramState {
  return seconds.reduce(
    (state, value) => observe(state, COLLECTION_BOUNDS_SECONDS, value),
    createHistogram(COLLECTION_BOUNDS_SECONDS),
  );
}

/** Creates the state of a collector that scrapes every 30 s and did so a second ago. */
export function collectorRow(collector: string, changes: Partial<CollectorSnapshot> = {}): CollectorSnapshot {
  const since = { sinceMs: NOW - 3_600_000, intervalMs: 30_000, lastScrapeMs: NOW - 1_000, lastScrapeAgeMs: 1_000 };
  return {
    collector,
    status: 'ok',
    message: '',
    ...since,
    durationMs: 2,
    collected: 100,
    failed: 0,
    durations: toHistogram(0.002),
    ...changes,
  };
}

/** A store without failure. */
export const storage: StorageState = {
  ...{
    flushIntervalMs: 0,
    maxBytes: 512 * 1024 ** 2,
    walLimitBytes: 64 * 1024 ** 2,
    walBlockedSinceMs: null,
    walCheckpointMs: null,
    walReclaimedBytes: 0,
  },
  ...{ writtenPerDay: null, failure: null, failureSinceMs: null, bufferedSamples: 0 },
};

/** The journals of a device whose collector was killed and whose receiver was away. */
export const JOURNALS: Snapshot['journals'] = {
  collector: [
    {
      ...{ id: 4, sinceMs: NOW - 90_000_000, atMs: NOW - 86_400_000, level: 'error', times: 341 },
      ...{ message: 'cannot store samples, buffering' },
      fields: {
        error: 'database or disk is full',
        error_code: 'SQLITE_FULL',
        hint: 'free space on the disk',
        count: 1_234,
      },
    },
    {
      ...{ id: 5, sinceMs: NOW - 240_000, atMs: NOW - 240_000, level: 'warn', times: 1 },
      ...{ message: 'collector failing', fields: { collector: 'textfile', error: 'a.prom: line 3: no value' } },
    },
  ],
  uploader: [
    {
      ...{ id: 1, sinceMs: NOW - 3_000, atMs: NOW - 3_000, level: 'warn', times: 1 },
      ...{ message: 'database replaced, reopening', fields: {} },
    },
  ],
};

/** What differs in a device that drains a backlog after an outage. */
export const DRAINING: Partial<Snapshot> = {
  books: { collected: 1_234_567, delivered: 1_200_000, pending: 34_000, rejected: 500, dropped: 67 },
  oldestPendingMs: NOW - 3_725_000,
  drain: { done: 0.8349, secondsLeft: 75 },
  held: { count: 12, reason: 'the clock was before the build date of this program' },
  skewMs: -7_500,
  storage: { ...storage, writtenPerDay: 60e6 },
  writtenPerDay: 4e6,
  sentPerDay: 9e6,
  journals: JOURNALS,
  uploads: [
    { atMs: NOW - 1_000, samples: 2_500, bytes: 12_345, outcome: 'partial', reason: '', times: 1 },
    { atMs: NOW - 86_400_000, samples: 0, bytes: 0, outcome: 'failed', reason: 'HTTP 503', times: 7 },
  ],
};

/** Creates the snapshot of a healthy device. */
export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    nowMs: NOW,
    startedAtMs: NOW - 3_600_000,
    uptimeSeconds: 3_600,
    isRunning: true,
    collectors: [collectorRow('cpu'), collectorRow('load')],
    heartbeatMs: NOW - 1_000,
    heartbeatAgeMs: 1_000,
    books: { collected: 200, delivered: 190, pending: 10, rejected: 0, dropped: 0 },
    oldestPendingMs: NOW - 20_000,
    held: undefined,
    databaseBytes: 1_024,
    walBytes: 2_048,
    setAside: [],
    storage,
    lock: undefined,
    receiver: {
      condition: 'taking',
      reason: '',
      sinceMs: NOW - 3_600_000,
      lastDelivery: { atMs: NOW - 20_000, count: 5, bytesSent: 90 },
    },
    lastDeliveryAgeMs: 20_000,
    uploads: [{ atMs: NOW - 20_000, samples: 5, bytes: 90, outcome: 'delivered', reason: '', times: 1 }],
    counts: NO_UPLOADS,
    skewMs: 12,
    skewErrorMs: 180,
    rejectedAtMs: undefined,
    rejectedAgeMs: undefined,
    droppedInLastHour: 0,
    writtenPerDay: undefined,
    sentPerDay: undefined,
    taskFailures: [],
    drain: undefined,
    journals: { collector: [], uploader: [] },
    ...changes,
  };
}
