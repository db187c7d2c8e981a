import { intersect, merge, subtract, toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { DeliveredRows } from '../queue/delivered-rows.ts';
import type { Requeue } from '../queue/requeue.ts';
import { SENT_AGAIN, VerifiedState, type VerifiedRanges } from '../queue/verified-ranges.ts';
import type { MissingSamples } from './verifier.ts';

export interface JudgementsOptions {
  readonly rows: Pick<DeliveredRows, 'readDelivered'>;
  readonly verified: VerifiedRanges;
  /** Undefined if nothing is sent again. */
  readonly requeue: Requeue | undefined;
}

/** What a slice came to, in samples. */
export interface SliceCounts {
  /** Missing for the first time. */
  readonly missing: number;
  readonly requeued: number;
  /** Sent again before, and there now. */
  readonly reverified: number;
  /** Missing, and not sent once more. */
  readonly missingAgain: number;
}

/** Series that are remembered as dropped by the receiver. */
const MAX_DROPPED = 10_000;

/**
 * Decides what becomes of compared rows. A missing one is sent again up to SENT_AGAIN.length times. A series of which that
 * many were in vain is dropped by the receiver: as long as it has no sample of it, others are not sent at all.
 */
export class Judgements {
  readonly #options: JudgementsOptions;
  readonly #dropped = new Set<string>();

  constructor(options: JudgementsOptions) {
    this.#options = options;
  }

  /** Settles the rows of a slice, within the caller's transaction. */
  settle(compared: readonly IdRange[], missing: readonly MissingSamples[]): SliceCounts {
    const { verified, rows, requeue } = this.#options;
    const lost = toRanges(missing.flatMap(({ ids }) => ids));
    const sentAgain = verified.readSentAgain();
    const isFirst = subtract(lost, sentAgain);
    const reverified = subtract(intersect(compared, sentAgain), lost);
    const attempts = SENT_AGAIN.map((attempt) => intersect(lost, verified.read(attempt)));
    const inVain = attempts.at(-1)!;
    const dropped = merge([...inVain, ...this.#findDropped(missing, inVain)]);
    for (const attempt of SENT_AGAIN) verified.remove(attempt, compared);
    // Not those that somebody has made pending meanwhile.
    verified.add(VerifiedState.judged, intersect(compared, rows.readDelivered().final));
    const counts = { missing: countIds(isFirst), reverified: countIds(reverified) };
    if (requeue === undefined) return { ...counts, requeued: 0, missingAgain: 0 };
    verified.add(VerifiedState.missingAgain, dropped);
    const again = subtract(lost, dropped);
    const requeued = requeue.requeueIds(again.flatMap(listIds));
    SENT_AGAIN.forEach((attempt, index) =>
      verified.add(attempt, intersect(again, index === 0 ? isFirst : attempts[index - 1]!)),
    );
    return { ...counts, requeued, missingAgain: countIds(dropped) };
  }

  /** Returns the rows of series that the receiver drops. */
  #findDropped(missing: readonly MissingSamples[], inVain: readonly IdRange[]): IdRange[] {
    return missing.flatMap(({ series: { key }, ids, isAbsent }) => {
      const ranges = toRanges(ids);
      if (!isAbsent) this.#dropped.delete(key);
      else if (this.#dropped.size < MAX_DROPPED && intersect(ranges, inVain).length > 0) this.#dropped.add(key);
      return this.#dropped.has(key) ? ranges : [];
    });
  }
}

/** Counts the ids of ranges. */
export function countIds(ranges: readonly IdRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

function listIds([first, last]: IdRange): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
