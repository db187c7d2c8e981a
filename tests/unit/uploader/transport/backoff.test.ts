import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { calculateBackoff } from '../../../../uploader/src/transport/backoff.ts';

const policy = { initialMs: 5_000, multiplier: 3, maxMs: 60_000, jitter: 0.2 };
const middle = (): number => 0.5;

describe('backoff:', () => {
  test('is 5 s, 15 s, 45 s, and then stays at 60 s (A-19)', () => {
    expect([1, 2, 3, 4, 5, 90].map((attempt) => calculateBackoff(attempt, policy, middle))).toEqual([
      5_000, 15_000, 45_000, 60_000, 60_000, 60_000,
    ]);
  });

  test('varies by 20 % in both directions (A-20)', () => {
    expect(calculateBackoff(1, policy, () => 0)).toBeCloseTo(4_000);
    expect(calculateBackoff(1, policy, () => 0.999_999)).toBeCloseTo(6_000, 1);
  });

  test('still varies at the cap, so that a fleet stays spread (A-21)', () => {
    const waits = [0, 0.25, 0.75].map((random) => calculateBackoff(50, policy, () => random));
    expect(waits).toEqual([48_000, 54_000, 66_000]);
  });

  test('does not vary without jitter', () => {
    expect(calculateBackoff(2, { ...policy, jitter: 0 }, Math.random)).toBe(15_000);
  });

  test('lies within the jitter around its mean, for every policy that the configuration accepts', () => {
    const policies = fc.record({
      initialMs: fc.nat(86_400_000),
      multiplier: fc.integer({ min: 1, max: 100 }),
      maxMs: fc.nat(86_400_000),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), policies, random, (attempt, each, value) => {
        const mid = calculateBackoff(attempt, each, middle);
        const wait = calculateBackoff(attempt, each, () => value);
        expect(mid).toBeLessThanOrEqual(each.maxMs);
        expect(mid).toBeGreaterThanOrEqual(Math.min(each.initialMs, each.maxMs));
        expect(wait).toBeGreaterThanOrEqual(mid * (1 - each.jitter) - 1e-6);
        expect(wait).toBeLessThanOrEqual(mid * (1 + each.jitter) + 1e-6);
      }),
    );
  });

  test('never gets shorter from one attempt to the next', () => {
    const waits = Array.from({ length: 20 }, (_, index) => calculateBackoff(index + 1, policy, middle));
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
  });
});
