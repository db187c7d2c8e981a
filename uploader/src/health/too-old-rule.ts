import type { Snapshot } from '../telemetry/snapshot.ts';
import { count, duration } from './formatting.ts';

/** Counts the pending samples without those that are held because the receiver would drop them. */
export function countSendable({ books, tooOld }: Pick<Snapshot, 'books' | 'tooOld'>): number {
  return books.pending - (tooOld?.held ?? 0);
}

/** Describes the samples that are held because the receiver would drop them, and what to do; undefined if there are none. */
export function describeHeldTooOld({ tooOld }: Pick<Snapshot, 'tooOld'>): string | undefined {
  if (tooOld === undefined || tooOld.held === 0) return undefined;
  const age = duration(tooOld.acceptedAgeMs / 1000);
  return `${count(tooOld.held)} samples held: older than ${age}, which the receiver does not accept; raise its -retentionPeriod and -maxBackfillAge, or set THUGSHELLS_TOO_OLD=reject`;
}

/** Describes the samples that were rejected for that; empty if none were since the uploader started. */
export function describeRejectedTooOld({ tooOld }: Pick<Snapshot, 'tooOld'>): string {
  if (tooOld === undefined || tooOld.rejected === 0) return '';
  return `, ${count(tooOld.rejected)} of them older than ${duration(tooOld.acceptedAgeMs / 1000)}, which the receiver does not accept`;
}
