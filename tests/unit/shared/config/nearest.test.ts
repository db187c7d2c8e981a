import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { findNearest, suggest } from '../../../../shared/src/config/nearest.ts';
import { VARIABLE_NAMES } from '../../../../shared/src/config/variables.ts';

test.each([
  ['DISK_INTERVALL', 'DISK_INTERVAL'],
  ['CPU_INTERVL', 'CPU_INTERVAL'],
  ['REMOTE_ULR', 'REMOTE_URL'],
  ['DP_PATH', 'DB_PATH'],
  ['REMTE_TOKN_FILE', 'REMOTE_TOKEN_FILE'],
  ['HEALTHPORT', 'HEALTH_PORT'],
  ['DBPATH', 'DB_PATH'],
  ['LOGLEVL', 'LOG_LEVEL'],
  ['log_level', 'LOG_LEVEL'],
  ['RETRY_MAXIMUM', 'RETRY_MAX'],
  ['MEM_INTERVAL', 'MEMORY_INTERVAL'],
  ['DEVICE', 'DEVICE_ID'],
  ['REMOTE_TOKEN', 'REMOTE_TOKEN_FILE'],
  ['UPLOAD_RATE', 'UPLOAD_MAX_RATE'],
  ['RETENTION_TIME', 'RETENTION'],
])('guess: %p is meant to be %p', (word, expected) => expect(findNearest(word, VARIABLE_NAMES)).toBe(expected));

describe('guess: none for a name that shares only', () => {
  test.each([
    ['its last word, short', 'BLUETOOTH_INTERVAL'],
    ['its last word, mistyped', 'BLUE_INTERVALL'],
    ['its first word, with several candidates', 'NETWORK'],
    ['half of its letters', 'VOLUME_PATH'],
    ['nothing', 'COLOR'],
  ])('%s', (_what, word) => expect(findNearest(word, VARIABLE_NAMES)).toBeUndefined());

  test('one of three words, or as many letters as it has errors', () =>
    expect([findNearest('RETENTION', ['RETENTION_LOW_PRIORITY']), findNearest('x', ['y'])]).toEqual([
      undefined,
      undefined,
    ]));

  test('the last word with one as short as itself', () =>
    expect(findNearest('WIRELESS_INTERVAL', ['DISK_INTERVAL', 'INTERVAL', 'SELF_INTERVAL'])).toBeUndefined());
});

test('guess: a known name is nearest to itself', () => {
  fc.assert(
    fc.property(fc.constantFrom(...VARIABLE_NAMES), (name) => expect(findNearest(name, VARIABLE_NAMES)).toBe(name)),
  );
});

test('guess: one letter more, less or other is one error, wherever it stands', () => {
  const far = 'completely-different-word';
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 3, maxLength: 8 }),
      fc.nat(),
      fc.constantFrom('x', ''),
      (word, at, letter) => {
        const index = at % word.length;
        expect(findNearest(word.slice(0, index) + letter + word.slice(index + 1), [far, word])).toBe(word);
      },
    ),
  );
});

test('guess: two neighbors that are swapped are one error, wherever they stand', () => {
  fc.assert(
    fc.property(fc.constantFrom('cpu', 'status', 'quarantine'), fc.nat(), (word, at) => {
      const index = at % (word.length - 1);
      const swapped = `${word.slice(0, index)}${word[index + 1]}${word[index]}${word.slice(index + 2)}`;
      expect(findNearest(swapped, ['gpx', word])).toBe(word);
    }),
  );
});

test('guess: the first of equally near names is meant, and none if none is known', () => {
  expect([findNearest('acd', ['abd', 'add']), findNearest('x', [])]).toEqual(['abd', undefined]);
});

test('guess: completes an error, or leaves it as it is', () => {
  expect([suggest('staus', ['status']), suggest('DEVICE', ['DEVICE_ID'], 'X_'), suggest('xyz', ['status'])]).toEqual([
    '; did you mean status?',
    '; did you mean X_DEVICE_ID?',
    '',
  ]);
});
