import { beforeEach, expect, test } from '@jest/globals';

import { DrainEstimator } from '../../../../uploader/src/telemetry/drain-estimate.ts';

let estimator: DrainEstimator;
beforeEach(() => {
  estimator = new DrainEstimator(1_000);
});

test('drain estimate: is undefined up to the threshold', () => {
  expect(estimator.update(1_000, 0)).toBeUndefined();
});

test('drain estimate: has no remaining time while the backlog does not shrink', () => {
  expect(estimator.update(5_000, 0)).toEqual({ done: 0, secondsLeft: undefined });
  expect(estimator.update(6_000, 1_000)).toEqual({ done: 0, secondsLeft: undefined });
  expect(estimator.update(6_000, 60_000)).toEqual({ done: 0, secondsLeft: undefined });
});

test('drain estimate: is the share of the peak delivered, and the rest at the recent speed', () => {
  estimator.update(10_000, 0);
  expect(estimator.update(9_000, 1_000)).toEqual({ done: expect.closeTo(0.1), secondsLeft: 9 });
  expect(estimator.update(5_000, 5_000)).toEqual({ done: 0.5, secondsLeft: 5 });
});

test('drain estimate: measures the speed over the last 20 s', () => {
  for (let second = 0; second <= 60; second++) estimator.update(100_000 - second * 10, second * 1_000);
  for (let second = 61; second <= 90; second++) estimator.update(99_400 - (second - 60) * 1_000, second * 1_000);
  expect(estimator.update(69_400, 90_000)!.secondsLeft).toBeCloseTo(69.4);
});

test('drain estimate: starts over with the next backlog', () => {
  estimator.update(10_000, 0);
  estimator.update(900, 10_000);
  expect(estimator.update(2_000, 20_000)).toEqual({ done: 0, secondsLeft: undefined });
});
