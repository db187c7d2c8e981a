import { describe, expect, test } from '@jest/globals';

import {
  interpret,
  observe,
  planWrite,
  startEpochs,
  type ClockReading,
  type EpochState,
} from '../../../../../collector/src/store/clock/epoch-transition.ts';
import type { Epoch } from '../../../../../collector/src/store/clock/epoch.ts';
import { Trust } from '../../../../../shared/src/state/epoch-trust.ts';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const basis = { baseMs: NOW, builtAtMs: NOW - 24 * HOUR };

/** All clocks `afterMs` after the start, the wall clock ahead by `aheadMs`; no receiver is known. */
function readClocks(afterMs: number, aheadMs = 0): ClockReading {
  return interpret({ wallMs: NOW + afterMs + aheadMs, monotonicMs: afterMs, sinceBootMs: afterMs }, basis, undefined);
}

const start: EpochState = startEpochs(readClocks(0), NOW - 1);

describe('epoch transition', () => {
  test('epoch transition: keeps the epoch and does not change its argument while the clocks agree', () => {
    const before = structuredClone(start);
    const { state, moment, change } = observe(start, readClocks(10_000), 1);
    expect(change).toBeUndefined();
    expect(state.current).toBe(start.current);
    expect(moment).toEqual({ storedMs: NOW + 10_000, correctedMs: NOW + 10_000, epoch: start.current });
    expect(start).toEqual(before);
  });

  test.each([
    ['500 ms', 500, false],
    ['501 ms', 501, true],
    ['-501 ms', -501, true],
  ])('epoch transition: a step of %s begins an epoch: %#', (_, aheadMs, begins) => {
    const { state, moment, change } = observe(start, readClocks(10_000, aheadMs), 1);
    expect(change !== undefined).toBe(begins);
    expect([state.current.offsetMs, state.previous]).toEqual([begins ? aheadMs : 0, start.current]);
    expect(moment.correctedMs).toBe(NOW + 10_000 + (begins ? aheadMs : 0));
  });

  test('epoch transition: a step has to be twice as large for each 250 epochs', () => {
    expect(observe(start, readClocks(10_000, 900), 249).change).toBeDefined();
    expect(observe(start, readClocks(10_000, 900), 250).change).toBeUndefined();
    expect(observe(start, readClocks(10_000, 1_900), 250).change).toBeDefined();
  });

  test('epoch transition: drift is harmless, a step is not', () => {
    let state = start;
    for (let scrape = 1; scrape <= 5; scrape++)
      ({ state } = observe(state, readClocks(scrape * 1_000, scrape * 100), 1));
    expect(observe(state, readClocks(6_000, 600), 1).change).toEqual({ stepMs: 600, isHarmless: true });
    expect(observe(start, readClocks(6_000, 600), 1).change).toEqual({ stepMs: 600, isHarmless: false });
  });

  test('epoch transition: stored time grows by 1 ms if the clocks stand still', () => {
    const first = observe(start, readClocks(0), 1);
    const second = observe(first.state, readClocks(0), 1);
    expect([first.moment.storedMs, second.moment.storedMs]).toEqual([NOW, NOW + 1]);
  });

  test('epoch transition: an earlier instant leaves the state and gets the epoch that it belongs to', () => {
    const early = readClocks(10_000);
    const { state } = observe(start, readClocks(20_000, HOUR), 1);
    const late = observe(state, early, 2);
    expect(late.state).toBe(state);
    expect(late.moment).toEqual({ storedMs: NOW + 10_000, correctedMs: NOW + 10_000, epoch: start.current });
  });

  test('epoch transition: trust rises within an epoch and does not fall with a receiver that is not known again', () => {
    const instant = { wallMs: NOW + 1_000, monotonicMs: 1_000, sinceBootMs: 1_000 };
    const confirmed = observe(start, interpret(instant, basis, { bootedAtMs: NOW, isStamp: false }), 1);
    expect([confirmed.change, confirmed.state.current.trust]).toEqual([undefined, Trust.confirmed]);
    expect(observe(confirmed.state, readClocks(2_000), 1).state.current).toBe(confirmed.state.current);
  });

  test('epoch transition: a clock before the build begins an epoch that is not trusted, with the reason', () => {
    const { state, change } = observe(start, readClocks(10_000, -NOW), 1);
    expect(change).toMatchObject({ isHarmless: false });
    expect(state.current).toMatchObject({
      trust: Trust.no,
      reason: expect.stringContaining('; the clock stands before this program was built'),
    });
  });
});

describe('interpretation of the clocks', () => {
  test('interpretation: takes the receiver’s clock as the stamp under the policy “correct”', () => {
    const instant = { wallMs: 5_000, monotonicMs: 1_000, sinceBootMs: 1_000 };
    const receiver = { bootedAtMs: NOW, isStamp: true };
    expect(interpret(instant, basis, receiver)).toMatchObject({ stampMs: NOW + 1_000, trust: Trust.confirmed });
    expect(interpret(instant, basis, { ...receiver, isStamp: false })).toMatchObject({
      stampMs: 5_000,
      trust: Trust.no,
    });
  });
});

describe('write plan', () => {
  const epoch: Epoch = { offsetMs: 5, bootBaseMs: 1_000, trust: Trust.faith, reason: 'start' };

  test.each<[string, Epoch | undefined, string]>([
    ['no epoch is recorded', undefined, 'insert'],
    ['the recorded one is the same', epoch, 'nothing'],
    ['the offset differs', { ...epoch, offsetMs: 6 }, 'insert'],
    ['the start of the boot differs by more than a step', { ...epoch, bootBaseMs: 1_501 }, 'insert'],
    ['the start of the boot differs by less', { ...epoch, bootBaseMs: 1_500 }, 'nothing'],
    ['the recorded one is not trusted', { ...epoch, trust: Trust.no }, 'insert'],
    ['the recorded one was confirmed', { ...epoch, trust: Trust.confirmed }, 'nothing'],
  ])('write plan: if %s', (_, recorded, plan) => {
    expect(planWrite(recorded, epoch)).toBe(plan);
  });

  test('write plan: confirms a recorded epoch that the receiver agrees with now', () => {
    expect(planWrite(epoch, { ...epoch, trust: Trust.confirmed })).toBe('confirm');
  });
});
