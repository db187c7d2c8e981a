import { describe, expect, test } from '@jest/globals';

import {
  toCumulativeBuckets,
  COLLECTION_BOUNDS_SECONDS,
  createHistogram,
  observe,
  selectBuckets,
  UPLOAD_BOUNDS_SECONDS,
} from '../../../../shared/src/metrics/histogram.ts';

function counts(...values: number[]): readonly number[] {
  return values.reduce((state, value) => observe(state, [1, 10], value), createHistogram([1, 10])).counts;
}

test('a value falls into the first bucket whose bound is not below it', () => {
  expect(counts(0)).toEqual([1, 0, 0]);
  expect(counts(1)).toEqual([1, 0, 0]);
  expect(counts(1.001)).toEqual([0, 1, 0]);
  expect(counts(10)).toEqual([0, 1, 0]);
  expect(counts(10.001, 1e9)).toEqual([0, 0, 2]);
});

test('the sum is that of all values; the histogram before is left as it was', () => {
  const before = createHistogram([1]);
  expect(observe(observe(before, [1], 0.25), [1], 4)).toEqual({ counts: [1, 1], sum: 4.25 });
  expect(before).toEqual({ counts: [0, 0], sum: 0 });
});

test('scrapes have five bounds, ascending', () => {
  expect(COLLECTION_BOUNDS_SECONDS).toHaveLength(5);
  expect([...COLLECTION_BOUNDS_SECONDS].sort((a, b) => a - b)).toEqual(COLLECTION_BOUNDS_SECONDS);
});

test('uploads have eight bounds, ascending', () => {
  expect(UPLOAD_BOUNDS_SECONDS).toHaveLength(8);
  expect([...UPLOAD_BOUNDS_SECONDS].sort((a, b) => a - b)).toEqual(UPLOAD_BOUNDS_SECONDS);
});

describe('buckets', () => {
  const bounds = [1, 2, 3, 4, 5];
  const buckets = (of: typeof toCumulativeBuckets, ...counts: number[]): unknown[] =>
    of({ counts, sum: 0 }, bounds).map(({ le, count }) => [le, count]);

  test('hold what is at most their bound, the last one all', () => {
    expect(buckets(toCumulativeBuckets, 1, 0, 5, 0, 0, 2)).toEqual([
      ['1', 1],
      ['2', 1],
      ['3', 6],
      ['4', 6],
      ['5', 6],
      ['+Inf', 8],
    ]);
  });

  test.each([
    [[0, 0, 0, 0, 0, 0], [['+Inf', 0]]],
    [
      [9, 0, 0, 0, 0, 0],
      [
        ['1', 9],
        ['+Inf', 9],
      ],
    ],
    [
      [0, 0, 9, 0, 0, 0],
      [
        ['2', 0],
        ['3', 9],
        ['+Inf', 9],
      ],
    ],
    [
      [1, 0, 0, 0, 0, 7],
      [
        ['1', 1],
        ['+Inf', 8],
      ],
    ],
    [
      [0, 4, 0, 5, 0, 0],
      [
        ['1', 0],
        ['2', 4],
        ['3', 4],
        ['4', 9],
        ['+Inf', 9],
      ],
    ],
  ])('that tell something, of %p, are those with values, those right below them, and the last', (counts, expected) => {
    expect(buckets(selectBuckets, ...counts)).toEqual(expected);
  });
});
