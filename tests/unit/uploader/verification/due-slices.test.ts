import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { DeliveredRows } from '../../../../uploader/src/queue/delivered-rows.ts';
import { findNewestSlice, type DueSlice } from '../../../../uploader/src/verification/due-slices.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const HOUR_S = 3_600;
let stored: StoredSamples;
beforeEach(() => void (stored = new StoredSamples()));
afterEach(() => stored.remove());

/** Stores a sample for each number of seconds, with ids from the next one on. */
function store(...seconds: readonly number[]): void {
  const seriesId = stored.number('SELECT COALESCE(MAX(id), 0) FROM series') || stored.series('load.average_1m');
  for (const second of seconds) stored.add(seriesId, START_MS + second * 1_000, 1);
}

const find = (...due: readonly IdRange[]): DueSlice | undefined =>
  findNewestSlice(new DeliveredRows(stored.database), due);

/** The slice from the first to the last of some rows, by their seconds. */
const sliceOf = (first: number, last: number): DueSlice['slice'] => ({
  afterMs: START_MS + first * 1_000 - 1,
  throughMs: START_MS + last * 1_000,
});

describe('newest slice of what is due:', () => {
  test.each([
    ['the newest range is the latest', [20, 1, 25, 2, 30], 20, 30],
    ['the newest range is the earliest', [20, 1, 30, 2, 10], 10, 30],
    ['a range between is the earliest', [20, 1, 10, 2, 30], 10, 30],
    ['a range between is the latest', [10, 1, 30, 2, 20], 10, 30],
  ])('holds the times of all its ranges where %s', (_, seconds, first, last) => {
    store(...seconds);
    const due: IdRange[] = [
      [1, 1],
      [3, 3],
      [5, 5],
    ];
    expect(find(...due)).toEqual({ slice: sliceOf(first, last), ranges: due });
  });

  test('ends before a range with which it would be longer than six hours', () => {
    store(0, 1, 5 * HOUR_S, 2, 6 * HOUR_S);
    expect(find([1, 1], [3, 3], [5, 5])).toEqual({
      slice: sliceOf(5 * HOUR_S, 6 * HOUR_S),
      ranges: [
        [3, 3],
        [5, 5],
      ],
    });
  });

  test('is the last six hours of a range that is longer, of which the newest row is done with then', () => {
    store(0, HOUR_S, 7 * HOUR_S);
    expect(find([1, 4])).toEqual({ slice: sliceOf(HOUR_S + 0.001, 7 * HOUR_S), ranges: [[3, 4]] });
  });

  test('ends before a range that began in another epoch: its older rows have times of their own', () => {
    store(0, 10);
    stored.beginEpoch(1_000 * HOUR_S, true);
    store(20, 30, 40, 50);
    expect(find([1, 3], [5, 6])?.ranges).toEqual([[5, 6]]);
    // All of one range may be of two epochs as well.
    expect(find([1, 6])?.ranges).toEqual([[3, 6]]);
  });

  test('does not exist if the newest range has no row', () => {
    store(0, 10);
    expect(find([1, 1], [3, 4])).toBeUndefined();
  });
});
