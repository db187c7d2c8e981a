import type { Snapshot } from '../telemetry/snapshot.ts';

/** What an operator can do about a program that has the database locked. */
const END_LOCK = 'end that program or its transaction';

/**
 * Describes the lock that keeps samples or acknowledgements from being stored, and what to do; undefined if none does.
 *
 * @param isCollectorLate whether the collector has stored nothing for longer than it should
 */
export function describeBlockingLock({ lock }: Pick<Snapshot, 'lock'>, isCollectorLate: boolean): string | undefined {
  if (lock === undefined || !(isCollectorLate || lock.delaysAcknowledgements)) return undefined;
  return `${lock.description}; ${END_LOCK}`;
}
