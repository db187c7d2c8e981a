import type { Snapshot } from '../telemetry/snapshot.ts';

/** Returns the age of the oldest pending sample in seconds; 0 if none is pending. */
export function oldestPendingSeconds({ oldestPendingMs, nowMs }: Pick<Snapshot, 'oldestPendingMs' | 'nowMs'>): number {
  return oldestPendingMs === undefined ? 0 : Math.max(0, nowMs - oldestPendingMs) / 1000;
}

/** Returns how long nothing has been delivered although something was pending; rows that are held do not count. */
export function stalledMs({ books, held, lastDeliveryAgeMs, startedAtMs, oldestPendingMs, nowMs }: Snapshot): number {
  if (books.pending <= (held?.count ?? 0) || oldestPendingMs === undefined) return 0;
  const sinceDeliveryMs = lastDeliveryAgeMs ?? Math.max(0, nowMs - startedAtMs);
  // The oldest pending row may be a held one, whose time is wrong.
  return held === undefined ? Math.min(sinceDeliveryMs, Math.max(0, nowMs - oldestPendingMs)) : sinceDeliveryMs;
}

/** Estimates how many samples are collected in one upload interval, from the collectors' counters. */
export function samplesPerUpload({ collectors }: Pick<Snapshot, 'collectors'>, uploadIntervalMs: number): number {
  return collectors.reduce((sum, { collected, durations, intervalMs }) => {
    const scrapes = durations.counts.reduce((a, b) => a + b, 0);
    return scrapes === 0 ? sum : sum + (collected / scrapes) * (uploadIntervalMs / intervalMs);
  }, 0);
}
