import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { AttemptBackoff, NO_PAUSE } from '../../../../uploader/src/transport/attempt-backoff.ts';
import type { BackoffPolicy } from '../../../../uploader/src/transport/backoff.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const DEFAULT_POLICY: BackoffPolicy = { initialMs: 5_000, multiplier: 3, maxMs: 60_000, jitter: 0.2 };
const LOST = { askedMs: 0, hasResponse: false };

function create(policy = DEFAULT_POLICY, random = () => 0.5) {
  const clock = new FakeClock();
  return { clock, backoff: new AttemptBackoff({ clock, policy, random }) };
}

describe('attempt backoff:', () => {
  test('grows over all failures in a row, whoever made the attempts, and begins anew after an accepted one', () => {
    const { backoff } = create();
    expect([backoff.failed(LOST), backoff.failed(LOST), backoff.refused(), backoff.failed(LOST)]).toEqual([
      5_000, 15_000, 45_000, 60_000,
    ]);
    backoff.accepted();
    expect([backoff.pause, backoff.failures, backoff.failed(LOST)]).toEqual([NO_PAUSE, 0, 5_000]);
  });

  test('says until when, what of it the receiver asked for, and whether it responded', () => {
    const { backoff, clock } = create();
    expect(backoff.failed({ askedMs: 7_000, hasResponse: true })).toBe(7_000);
    const atMs = clock.monotonic() + 7_000;
    expect(backoff.pause).toEqual({ askedUntil: atMs, backoffUntil: atMs, hasResponse: true });
  });

  test('no wait is shorter than the one before it, whatever the policy and the chance', () => {
    const policies = fc.record({
      initialMs: fc.integer({ min: 1, max: 60_000 }),
      multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
      maxMs: fc.integer({ min: 1, max: 600_000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const chances = fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true }));
    fc.assert(
      fc.property(policies, chances, fc.constantFrom('failed', 'refused'), (policy, stream, kind) => {
        const { backoff } = create(policy, () => stream.next().value as number);
        const waits = Array.from({ length: 12 }, () => (kind === 'failed' ? backoff.failed(LOST) : backoff.refused()));
        for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(waits[index - 1] ?? 0);
      }),
    );
  });
});

describe('attempt backoff after a refusal:', () => {
  test('waits seconds, however short the waits of the policy are', () => {
    const { backoff } = create({ initialMs: 100, multiplier: 3, maxMs: 1_000, jitter: 0.2 });
    expect([backoff.refused(), backoff.refused(), backoff.refused()]).toEqual([5_000, 15_000, 15_000]);
  });

  test('of samples, lets one more attempt follow at once if the receiver had accepted others right before', () => {
    const { backoff } = create();
    expect(backoff.refusedSamples()).toBe(5_000);
    backoff.accepted();
    expect([backoff.refusedSamples(), backoff.pause]).toEqual([0, NO_PAUSE]);
    expect([backoff.refusedSamples(), backoff.refusedSamples()]).toEqual([15_000, 45_000]);
  });

  test('two attempts at most come within ten seconds, whatever the policy and the chance', () => {
    const policies = fc.record({
      initialMs: fc.integer({ min: 1, max: 60_000 }),
      multiplier: fc.double({ min: 3, max: 10, noNaN: true }),
      maxMs: fc.integer({ min: 1, max: 600_000 }),
      jitter: fc.double({ min: 0, max: 0.2, noNaN: true }),
    });
    const chances = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(policies, chances, fc.boolean(), (policy, chance, hasAccepted) => {
        const { backoff } = create(policy, () => chance);
        if (hasAccepted) backoff.accepted();
        const [first, second] = [backoff.refusedSamples(), backoff.refusedSamples()];
        expect(first + second).toBeGreaterThan(10_000);
      }),
    );
  });
});
