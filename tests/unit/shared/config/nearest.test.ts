import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { findNearest } from '../../../../shared/src/config/nearest.ts';
import { VARIABLE_NAMES } from '../../../../shared/src/config/variables.ts';

test.each([
  ['DISK_INTERVALL', 'DISK_INTERVAL'],
  ['CPU_INTERVL', 'CPU_INTERVAL'],
  ['REMOTE_ULR', 'REMOTE_URL'],
  ['HEALTHPORT', 'HEALTH_PORT'],
  ['RETRY_MAXIMUM', 'RETRY_MAX'],
  ['DBPATH', 'DB_PATH'],
  ['LOGLEVEL', 'LOG_LEVEL'],
])('%p is nearest to %p', (word, expected) => expect(findNearest(word, VARIABLE_NAMES)).toBe(expected));

test('a word that is known is nearest to itself', () => {
  fc.assert(
    fc.property(fc.constantFrom(...VARIABLE_NAMES), (name) => expect(findNearest(name, VARIABLE_NAMES)).toBe(name)),
  );
});

test('one letter more, less or other is one edit, wherever it stands', () => {
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

test('the nearest word is the first of equally near ones, and empty if none is known', () => {
  expect([findNearest('ac', ['ab', 'ad']), findNearest('x', [])]).toEqual(['ab', '']);
});

test('the nearest word is empty if all are further away than the limit', () => {
  expect([findNearest('abc', ['abx'], 1), findNearest('abc', ['axx'], 1)]).toEqual(['abx', '']);
});
