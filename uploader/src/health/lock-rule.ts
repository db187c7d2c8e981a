import { END_LOCK } from '@thugshells/shared/database/write-lock.ts';

import type { Snapshot } from '../telemetry/snapshot.ts';

/**
 * Describes the lock that keeps samples or acknowledgements from being stored, and what to do; undefined if none does.
 *
 * @param isCollectorLate whether the collector has stored nothing for longer than it should
 */
export function describeBlockingLock({ lock }: Pick<Snapshot, 'lock'>, isCollectorLate: boolean): string | undefined {
  if (lock === undefined || !(isCollectorLate || lock.delaysAcknowledgements)) return undefined;
  return `${lock.description}; ${END_LOCK}`;
}
