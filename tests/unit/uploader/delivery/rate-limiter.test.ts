import { expect, test } from '@jest/globals';

import { RateLimiter } from '../../../../uploader/src/delivery/rate-limiter.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const never = new AbortController().signal;

test('rate limiter: does not wait beyond the end of an interval, so that the newest samples are not delayed', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock, 1_000);
  limiter.spend(6_000);
  limiter.spend(4_000);
  const startedAt = clock.monotonic();
  expect(await limiter.wait(startedAt + 9_999, never)).toBe(false);
  expect(clock.sleeps).toEqual([]);
  const waiting = limiter.wait(startedAt + 10_000, never);
  await clock.advance(10_000);
  expect([await waiting, clock.sleeps]).toEqual([true, [10_000]]);
});

test('rate limiter: sends nothing after a stop, and never waits without a limit', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(clock, 0);
  limiter.spend(1e9);
  expect(await limiter.wait(clock.monotonic(), never)).toBe(true);
  expect(await limiter.wait(clock.monotonic(), AbortSignal.abort())).toBe(false);
  expect(clock.sleeps).toEqual([]);
});
