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
 * Finds the newest slice of what is due: of one epoch, in which time only grows. Of a series that was missing each sample is
 * a range: all of them in the slice are taken. Undefined if the last range has no row.
 *
 * @param due ascending, not empty
 */
export function findNewestSlice(rows: DeliveredRows, due: readonly IdRange[]): DueSlice | undefined {
  const newest = due.at(-1)!;
  const ends = rows.findNewest(newest);
  if (ends === undefined) return undefined;
  const { first, last, epochFirstId } = ends;
  const throughMs = last.timestampMs;
  if (first.timestampMs <= throughMs - MAX_SLICE_MS)
    return { slice: { afterMs: throughMs - MAX_SLICE_MS, throughMs }, ranges: [[last.id, newest[1]]] };
  const ranges: IdRange[] = [[first.id, newest[1]]];
  let afterMs = first.timestampMs - 1;
  for (let index = due.length - 2; index >= 0; index--) {
    const [firstId, lastId] = due[index]!;
    const oldest = firstId < epochFirstId ? undefined : rows.findOldest([firstId, lastId]);
    if (oldest === undefined || oldest.timestampMs <= throughMs - MAX_SLICE_MS) break;
    ranges.unshift([firstId, lastId]);
    afterMs = Math.min(afterMs, oldest.timestampMs - 1);
  }
  return { slice: { afterMs, throughMs }, ranges };
}
