import { COLLECTION_BOUNDS_SECONDS, emptyHistogram, observe, type HistogramState } from '@thugshells/shared/histogram.js';

import type { CollectorRow, Snapshot } from '../../../../uploader/src/sidecar/snapshot.js';

/** When snapshots are taken, Unix milliseconds. */
export const NOW = 1_700_000_000_000;

export const LIMITS = {
  uploadIntervalMs: 30_000,
  healthDegradedPending: 5_000,
  healthErrorPending: 10_000,
  healthErrorAfterMs: 600_000,
  clockSkewWarnMs: 2_000,
};

/** A histogram of these durations in seconds. */
export function durationsOf(...seconds: readonly number[]): HistogramState {
  return seconds.reduce((state, value) => observe(state, COLLECTION_BOUNDS_SECONDS, value), emptyHistogram(COLLECTION_BOUNDS_SECONDS));
}

/** A collector that scrapes every 30 s, the last time a second ago. */
export function collectorRow(collector: string, changes: Partial<CollectorRow> = {}): CollectorRow {
  const since = { sinceMs: NOW - 3_600_000, intervalMs: 30_000, lastScrapeMs: NOW - 1_000 };
  return { collector, status: 'ok', message: '', ...since, durationMs: 2, collected: 100, failed: 0, durations: durationsOf(0.002), ...changes };
}

/** A box in which everything is as it should be. */
export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    nowMs: NOW,
    uptimeSeconds: 3_600,
    collectors: [collectorRow('cpu'), collectorRow('load')],
    heartbeatMs: NOW - 1_000,
    books: { collected: 200, delivered: 190, pending: 10, rejected: 0, dropped: 0 },
    oldestPendingMs: NOW - 20_000,
    databaseBytes: 1_024,
    walBytes: 2_048,
    receiver: { condition: 'taking', reason: '', sinceMs: NOW - 3_600_000, lastDelivery: { atMs: NOW - 20_000, count: 5, bytesSent: 90 } },
    skewMs: 12,
    ...changes,
  };
}
