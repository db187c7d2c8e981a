import { describe, expect, test } from '@jest/globals';

import {
  parseAttribute,
  parseDecimal,
  parseDecimals,
  splitFields,
  splitLines,
} from '../../../../../collector/src/collectors/parsing/kernel-text.ts';

const line = { path: '/proc/x', number: 3, text: '' };
const malformed = (message: string) => expect.objectContaining({ code: 'KERNEL_FILE_MALFORMED', message });

describe('lines', () => {
  test('are counted from 1, and the last newline begins none', () => {
    expect(splitLines('/proc/x', 'a\n\nb\n').map(({ number, text }) => [number, text])).toEqual([
      [1, 'a'],
      [2, ''],
      [3, 'b'],
    ]);
  });

  test('of a text that is empty or cut are refused', () => {
    expect(() => splitLines('/proc/x', '')).toThrow(malformed('cannot parse /proc/x: empty'));
    expect(() => splitLines('/proc/x', 'a\nb')).toThrow(
      malformed('cannot parse /proc/x: line 2: truncated, no newline at its end'),
    );
  });
});

test('attributes of sysfs: are one line, which need not end in a newline', () => {
  expect(parseAttribute('/sys/x', '48000')).toEqual({ path: '/sys/x', number: 1, text: '48000' });
  expect(parseAttribute('/sys/x', '48000\n').text).toBe('48000');
  expect(() => parseAttribute('/sys/x', '')).toThrow(malformed('cannot parse /sys/x: empty'));
  expect(() => parseAttribute('/sys/x', '1\n2')).toThrow(malformed('cannot parse /sys/x: not a single line'));
});

describe('numbers', () => {
  test.each([
    ['0', 0],
    ['007', 7],
    ['9007199254740991', 9007199254740991],
    ['18446744073709551615', 2 ** 64],
  ])('%s is one', (field, value) => {
    expect(parseDecimal(line, field)).toBe(value);
  });

  test.each(['', '-1', '+1', '1.5', '1e3', '0x10', 'NaN', 'Infinity', '1_000', '١', ' 1', '1\n', '1'.repeat(21)])(
    '%j is none',
    (field) => {
      expect(() => parseDecimal(line, field)).toThrow(expect.objectContaining({ code: 'KERNEL_FILE_MALFORMED' }));
    },
  );

  test('may be more than are needed, but not fewer, and all must be numbers', () => {
    expect(parseDecimals(line, splitFields('  1 2\t3 '), 2)).toEqual([1, 2, 3]);
    expect(() => parseDecimals(line, ['1'], 2)).toThrow(
      malformed('cannot parse /proc/x: line 3: 1 numbers, expected at least 2'),
    );
    expect(() => parseDecimals(line, ['1', '2', 'x'], 2)).toThrow(
      malformed('cannot parse /proc/x: line 3: "x" is not a number'),
    );
  });

  test('that are none are quoted escaped and not at any length', () => {
    expect(() => parseDecimal(line, '\u0000')).toThrow(
      malformed('cannot parse /proc/x: line 3: "\\u0000" is not a number'),
    );
    expect(() => parseDecimal(line, 'x'.repeat(100_000))).toThrow(
      malformed(`cannot parse /proc/x: line 3: "${'x'.repeat(60)}…" is not a number`),
    );
  });
});
