import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { escapeControls, escapeLines, toExcerpt, toPrintable } from '../../../shared/src/printable.ts';
import { parseJson } from '../../../shared/src/state/stored-values.ts';

/** What a terminal obeys, or shows as nothing. */
const HOSTILE: readonly [what: string, text: string, escaped: string][] = [
  ['an escape sequence', '\x1b[2J', '\\u001b[2J'],
  ['the same by one C1 control', '\x9b2J', '\\u009b2J'],
  ['an operating system command', '\x1b]0;title\x07', '\\u001b]0;title\\u0007'],
  ['a carriage return', 'all well\rX', 'all well\\rX'],
  ['a tab and DEL', '\t\x7f', '\\t\\u007f'],
  ['a change of direction', 'abc\u202etxt.exe', 'abc\\u202etxt.exe'],
  ['isolates and zero width', '\u2066\u200b\u2069\ufeff', '\\u2066\\u200b\\u2069\\ufeff'],
  ['a tag beyond the basic plane', '\u{e0041}', '\\udb40\\udc41'],
  ['half of a character', '\ud83d!', '\\ud83d!'],
  ['a line separator', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
];

test.each(HOSTILE)('printable: %s is escaped, on one line and in lines', (_what, text, escaped) => {
  expect(escapeControls(text)).toBe(escaped);
  expect(escapeLines(`${text}\n${text}`)).toBe(`${escaped}\n${escaped}`);
  expect(toExcerpt(text.replace('\t', '\x7f'), 100)).toBe(
    escaped.replace('\\t', '\\u007f').replace(/\\r|\\u202[89]|\\ufeff$/g, (found) => (found === '\\ufeff' ? '' : ' ')),
  );
});

test('printable: letters of any script, signs and pictures are left as they are', () => {
  const text = 'Größe 日本 עברית 5 °C 🌡 — “x” \\ " é';
  expect([escapeControls(text), escapeLines(text), toExcerpt(text, 100)]).toEqual([text, text, text]);
});

test('printable: JSON stays JSON of the same value', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
      expect(parseJson(escapeControls(json))).toEqual(parseJson(json));
    }),
  );
});

test('printable: an excerpt is one line without unprintable characters, and never longer than its limit', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 10, max: 100 }), (text, maxLength) => {
      const excerpt = toExcerpt(text, maxLength);
      expect(excerpt).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      expect(excerpt.length).toBeLessThanOrEqual(maxLength + 1);
    }),
  );
  expect(toExcerpt('\u0000'.repeat(5_000_000), 20)).toBe('\\u0000\\u0000\\u0000…');
});

test('printable: every text in a value is an excerpt, names included', () => {
  expect(toPrintable({ 'a\x1b': ['\x9b', 1, null, { b: 'x\ny' }], c: undefined }, 20)).toEqual({
    'a\\u001b': ['\\u009b', 1, null, { b: 'x y' }],
    c: undefined,
  });
});
