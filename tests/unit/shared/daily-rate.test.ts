import { describe, expect, test } from '@jest/globals';

import { DailyRate } from '../../../shared/src/daily-rate.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MINUTE_MS = 60_000;
const MINUTES_A_DAY = 1_440;

/** A counter that is asked once a minute, as the programs ask theirs. */
function createCounter(clock: FakeClock, start: number) {
  let count = start;
  const rate = new DailyRate(clock, () => count);
  return {
    rate,
    async run(minutes: number, perMinute: number): Promise<number | undefined> {
      for (let minute = 0; minute < minutes; minute++) {
        rate.perDay();
        await clock.advance(MINUTE_MS);
        count += perMinute;
      }
      return rate.perDay();
    },
  };
}

describe('daily rate:', () => {
  test('is not known before half an hour has passed', async () => {
    const clock = new FakeClock();
    const counter = createCounter(clock, 0);
    expect([counter.rate.perDay(), await counter.run(1, 10), await counter.run(28, 10)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await clock.advance(MINUTE_MS - 1);
    expect(counter.rate.perDay()).toBeUndefined();
    await clock.advance(1);
    expect(counter.rate.perDay()).toBeDefined();
  });

  test('leaves out what was counted in the first five minutes, and before the start', async () => {
    const counter = createCounter(new FakeClock(), 123_456_789);
    await counter.run(5, 1_000_000);
    expect(await counter.run(25, 10)).toBeCloseTo(10 * MINUTES_A_DAY, 6);
    expect(await counter.run(600, 10)).toBeCloseTo(10 * MINUTES_A_DAY, 6);
  });

  test('is that of the last day, give or take an hour', async () => {
    const counter = createCounter(new FakeClock(), 0);
    await counter.run(600, 1_000);
    expect(await counter.run(23 * 60, 10)).toBeGreaterThan(50 * MINUTES_A_DAY);
    expect(await counter.run(3 * 60, 10)).toBeCloseTo(10 * MINUTES_A_DAY, 6);
  });

  test('is known only after another 25 minutes when it is asked late for the first time', async () => {
    const clock = new FakeClock();
    const counter = createCounter(clock, 0);
    await clock.advance(60 * MINUTE_MS);
    expect([counter.rate.perDay(), await counter.run(24, 7), await counter.run(1, 7)]).toEqual([
      undefined,
      undefined,
      7 * MINUTES_A_DAY,
    ]);
  });

  test('is not known when the counter cannot be read', async () => {
    const clock = new FakeClock();
    const counter: { count?: number } = {};
    const rate = new DailyRate(clock, () => counter.count);
    await clock.advance(60 * MINUTE_MS);
    expect(rate.perDay()).toBeUndefined();
    counter.count = 50;
    await clock.advance(MINUTE_MS);
    expect(rate.perDay()).toBeUndefined();
    await clock.advance(25 * MINUTE_MS);
    expect(rate.perDay()).toBe(0);
  });
});
