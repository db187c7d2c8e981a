import { describe, expect, test } from '@jest/globals';

import {
  bytes,
  clockTime,
  count,
  duration,
  percent,
  shortDuration,
  skew,
} from '../../../../uploader/src/health/formatting.ts';

test('formatting: count separates thousands', () => {
  expect([0, 999, 1_234_567].map(count)).toEqual(['0', '999', '1,234,567']);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_234, '1.2 kB'],
  [12_345, '12 kB'],
  [999_600, '1.0 MB'],
  [9_960_000, '10 MB'],
  [5e15, '5000 TB'],
])('%d bytes are %s', (value, text) => {
  expect(bytes(value)).toBe(text);
});

test.each([
  [0, '0 s'],
  [0.4, '0 s'],
  [59.6, '1 min'],
  [61, '1 min 1 s'],
  [3_600, '1 h'],
  [3_725, '1 h 2 min'],
  [90_061, '1 d 1 h'],
  [86_401, '1 d'],
  [-5, '0 s'],
])('%d seconds are %s', (value, text) => {
  expect(duration(value)).toBe(text);
});

test.each([
  [0.04, '0.0 ms'],
  [9.94, '9.9 ms'],
  [9.96, '10 ms'],
  [999, '999 ms'],
  [1_500, '1.5 s'],
  [75_000, '1 min 15 s'],
])('%d milliseconds of work are %s', (value, text) => {
  expect(shortDuration(value)).toBe(text);
});

describe('formatting: clockTime', () => {
  test('omits the date of today, shows any other, and formats undefined as never', () => {
    const now = '2023-11-14T22:13:20.000Z';
    expect([
      clockTime('2023-11-14T06:31:02.123Z', now),
      clockTime('2023-11-13T06:31:02.123Z', now),
      clockTime(undefined, now),
    ]).toEqual(['06:31:02', '2023-11-13 06:31:02', 'never']);
  });
});

test.each([
  [100, 180, 'right to within 180 ms'],
  [-180, 180, 'right to within 180 ms'],
  [181, 180, '181 ms ahead'],
  [-3_600_000, 180, '1 h behind'],
])('a clock that is off by %d ms, give or take %d, is %s', (ms: number, errorMs: number, text: string) => {
  expect(skew(ms, errorMs)).toBe(text);
});

test('formatting: percent rounds down, so only 1 is 100 %', () => {
  expect([percent(0.999), percent(1)]).toEqual(['99 %', '100 %']);
});
