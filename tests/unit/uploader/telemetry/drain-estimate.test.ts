import { beforeEach, expect, test } from '@jest/globals';

import { DrainEstimator } from '../../../../uploader/src/telemetry/drain-estimate.ts';

let estimator: DrainEstimator;
beforeEach(() => {
  estimator = new DrainEstimator(1_000);
});

test('what is at most the threshold is no backlog', () => {
  expect(estimator.update(1_000, 0)).toBeUndefined();
});

test('a backlog that grows, or stands, has no time left', () => {
  expect(estimator.update(5_000, 0)).toEqual({ done: 0, secondsLeft: undefined });
  expect(estimator.update(6_000, 1_000)).toEqual({ done: 0, secondsLeft: undefined });
  expect(estimator.update(6_000, 60_000)).toEqual({ done: 0, secondsLeft: undefined });
});

test('a drain is done by the share of its peak, and takes as long as it took of late', () => {
  estimator.update(10_000, 0);
  expect(estimator.update(9_000, 1_000)).toEqual({ done: expect.closeTo(0.1), secondsLeft: 9 });
  expect(estimator.update(5_000, 5_000)).toEqual({ done: 0.5, secondsLeft: 5 });
});

test('only the last 20 s say how fast it goes', () => {
  for (let second = 0; second <= 60; second++) estimator.update(100_000 - second * 10, second * 1_000);
  for (let second = 61; second <= 90; second++) estimator.update(99_400 - (second - 60) * 1_000, second * 1_000);
  expect(estimator.update(69_400, 90_000)!.secondsLeft).toBeCloseTo(69.4);
});

test('the next backlog begins anew', () => {
  estimator.update(10_000, 0);
  estimator.update(900, 10_000);
  expect(estimator.update(2_000, 20_000)).toEqual({ done: 0, secondsLeft: undefined });
});
