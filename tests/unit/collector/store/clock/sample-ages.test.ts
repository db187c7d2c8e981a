import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Trust } from '@thugshells/shared/state/epoch-trust.ts';

import {
  findStoredBefore,
  type EpochClock,
  type Present,
} from '../../../../../collector/src/store/clock/sample-ages.ts';

const HOUR = 3_600_000;
const NOW = 1_700_000_000_000;
const epoch: EpochClock = {
  offsetMs: 0,
  bootId: 'boot-1',
  bootBaseMs: NOW - 10 * HOUR,
  trust: Trust.faith,
  agreedBootedAtMs: null,
};
const present: Present = { bootId: 'boot-1', sinceBootMs: 10 * HOUR, storedMs: NOW, trustedMs: undefined };

test.each<[string, Partial<EpochClock>, Partial<Present>, number]>([
  ['of this boot by the time since boot', {}, {}, NOW - HOUR],
  ['of this boot, whatever its offset', { offsetMs: 9e11, trust: Trust.confirmed }, { trustedMs: 1 }, NOW - HOUR],
  ['of a kernel without an id of its boot by the time since boot', { bootId: null }, { bootId: null }, NOW - HOUR],
  ['of another boot, if this one is older', { bootId: 'boot-0' }, {}, NOW - HOUR],
  ['of a corrupt epoch by stored time', { bootBaseMs: NOW + 9e11 }, {}, NOW - HOUR],
  ['of a corrupt offset by stored time', { bootId: null, offsetMs: -9e11 }, { trustedMs: NOW }, NOW - HOUR],
  ['of another boot, not if this one is younger', { bootId: 'boot-0' }, { sinceBootMs: HOUR - 1 }, -Infinity],
  [
    'of another boot by the receiver’s clock in both',
    { bootId: 'boot-0', bootBaseMs: 500, agreedBootedAtMs: 800 },
    { trustedMs: NOW },
    NOW - HOUR - 300,
  ],
  [
    'of another boot by its corrected time, if its clock was confirmed',
    { bootId: 'boot-0', offsetMs: 700, trust: Trust.confirmed },
    { trustedMs: NOW },
    NOW - HOUR - 700,
  ],
  [
    'of another boot, not by a clock that nobody confirmed',
    { bootId: 'boot-0', offsetMs: -9e11 },
    { trustedMs: NOW, sinceBootMs: 0 },
    -Infinity,
  ],
  ['of an unknown boot not at all', { bootId: null }, {}, -Infinity],
  [
    'of an unknown boot once the receiver’s clock is known',
    { bootId: null, bootBaseMs: null },
    { trustedMs: NOW },
    NOW - HOUR,
  ],
])('sample ages: samples %s', (_, epochChanges, presentChanges, before) => {
  expect(findStoredBefore({ ...epoch, ...epochChanges }, { ...present, ...presentChanges }, HOUR)).toBe(before);
});

test('sample ages: without the receiver’s clock nothing that is younger is called old, at whatever offset', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: -1e12, max: 1e12 }),
      fc.boolean(),
      (storedSinceBootMs, ageMs, offsetMs, isThisBoot) => {
        const bootId = isThisBoot ? 'boot-1' : 'boot-0';
        // Stored in this boot a while ago, or in the last moment of another one.
        const trueAgeMs = isThisBoot ? ageMs : 1e9 + ageMs;
        const sinceBootMs = isThisBoot ? storedSinceBootMs + ageMs : trueAgeMs;
        const storedMs = epoch.bootBaseMs! + storedSinceBootMs;
        const limit = trueAgeMs + 1;
        return (
          storedMs >=
          findStoredBefore({ ...epoch, bootId, offsetMs }, { ...present, sinceBootMs, storedMs: Infinity }, limit)
        );
      },
    ),
  );
});
