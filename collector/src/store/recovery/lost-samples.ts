import type { SalvageProgress } from './salvage-progress.ts';
import type { SourceAccount } from './source-account.ts';

/**
 * How many pending rows are lost at the end of a salvage: those that are booked, if books and settled ranges are known.
 *
 * If it is not known what was settled, rows that had been delivered are taken for those that are missed; if the books are an
 * upper bound, too many are booked. Then at most as many are lost as ids are missing, and as the pages that are gone may have
 * held.
 *
 * @param countGone how many samples the pages that are gone may have held; takes a look at every page
 */
export function boundLostSamples(
  { books, settled, pending, pendingIds, isSettledInDoubt }: SourceAccount,
  { lost, recovered, doubtful, areBooksKnown, isEstimate }: SalvageProgress,
  countGone: () => number,
): number {
  if (!areBooksKnown || (!isEstimate && !isSettledInDoubt)) return lost;
  const missing = Math.max(0, settled === undefined ? pendingIds - recovered : pendingIds - pending + lost);
  const atMost = Math.min(missing, countGone() + doubtful);
  if (!isSettledInDoubt) return Math.min(lost, atMost);
  return books === undefined ? lost : Math.max(isEstimate ? 0 : lost, Math.min(pending, atMost));
}
