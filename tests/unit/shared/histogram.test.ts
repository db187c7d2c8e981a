import { expect, test } from '@jest/globals';

import { COLLECTION_BOUNDS_SECONDS, emptyHistogram, observe } from '../../../shared/src/histogram.js';

function counts(...values: number[]): readonly number[] {
  return values.reduce((state, value) => observe(state, [1, 10], value), emptyHistogram([1, 10])).counts;
}

test('a value falls into the first bucket whose bound is not below it', () => {
  expect(counts(0)).toEqual([1, 0, 0]);
  expect(counts(1)).toEqual([1, 0, 0]);
  expect(counts(1.001)).toEqual([0, 1, 0]);
  expect(counts(10)).toEqual([0, 1, 0]);
  expect(counts(10.001, 1e9)).toEqual([0, 0, 2]);
});

test('the sum is that of all values; the histogram before is left as it was', () => {
  const before = emptyHistogram([1]);
  expect(observe(observe(before, [1], 0.25), [1], 4)).toEqual({ counts: [1, 1], sum: 4.25 });
  expect(before).toEqual({ counts: [0, 0], sum: 0 });
});

test('scrapes have five bounds, ascending', () => {
  expect(COLLECTION_BOUNDS_SECONDS).toHaveLength(5);
  expect([...COLLECTION_BOUNDS_SECONDS].sort((a, b) => a - b)).toEqual(COLLECTION_BOUNDS_SECONDS);
});
