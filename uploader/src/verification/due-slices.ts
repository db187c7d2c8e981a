import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { DeliveredRows } from '../queue/delivered-rows.ts';
import type { TimeSlice } from '../queue/rows-by-time.ts';

/** Rows that are due in one slice of time. */
export interface DueSlice {
  readonly slice: TimeSlice;
  /** All ids that are due in it, those without a row included. */
  readonly ranges: readonly IdRange[];
}

/** As long as a slice of the verifier: its counts take some kilobytes. */
const MAX_SLICE_MS = 6 * 3_600_000;

/**
 * Finds the newest slice of what is due, of one epoch. Of a series that was missing each sample is a range: all of them in the
 * slice are taken. Undefined if the last range has no row.
 *
 * @param due ascending, not empty
 */
export function findNewestSlice(rows: DeliveredRows, due: readonly IdRange[]): DueSlice | undefined {
  const newest = due.at(-1)!;
  const found = rows.findNewest(newest);
  if (found === undefined) return undefined;
  const { firstId, lastId, epoch } = found;
  let { fromMs, throughMs } = found;
  if (fromMs <= throughMs - MAX_SLICE_MS)
    return { slice: { afterMs: throughMs - MAX_SLICE_MS, throughMs }, ranges: [[lastId, newest[1]]] };
  const ranges: IdRange[] = [[firstId, newest[1]]];
  for (const range of due.slice(0, -1).reverse()) {
    const more = range[0] < epoch.firstId ? undefined : rows.findRows(range, epoch);
    if (more === undefined) break;
    const [earliestMs, latestMs] = [Math.min(fromMs, more.fromMs), Math.max(throughMs, more.throughMs)];
    if (earliestMs <= latestMs - MAX_SLICE_MS) break;
    ranges.unshift(range);
    [fromMs, throughMs] = [earliestMs, latestMs];
  }
  return { slice: { afterMs: fromMs - 1, throughMs }, ranges };
}
