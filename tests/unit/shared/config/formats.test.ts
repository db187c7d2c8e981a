import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  decimal,
  duration,
  durationWithin,
  flag,
  httpUrl,
  integer,
  oneOf,
  optionalHttpUrl,
  optionalText,
  patterns,
  rate,
  size,
  sizeWithin,
  text,
  wordList,
} from '../../../../shared/src/config/formats.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1.5s', 1_500],
    ['0', 0],
    ['0s', 0],
    [' 30s ', 30_000],
  ])('%p is %p milliseconds', (given, milliseconds) => expect(duration.parse(given)).toBe(milliseconds));

  test.each([
    '30',
    '1.5',
    '-30s',
    '30 s',
    '30S',
    '30sec',
    's',
    '',
    '1h30m',
    '1e3s',
    '.5s',
    '5.s',
    '٣s',
    '5constructor',
    '5toString',
  ])('%p is refused', (given) => expect(duration.parse(given)).toBeUndefined());

  test('a number without a unit is never read, but for 0', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e15 }), (number) =>
        expect(duration.parse(String(number))).toBeUndefined(),
      ),
    );
  });

  test('bounds are inclusive', () => {
    const bounded = durationWithin(100, 60_000, 'from 100ms to 1m');
    expect(['99ms', '100ms', '1m', '60001ms', '0', '30'].map((given) => bounded.parse(given))).toEqual([
      undefined,
      100,
      60_000,
      undefined,
      undefined,
      undefined,
    ]);
    expect(bounded.expected).toBe('a duration with its unit, such as 500ms, 30s, 5m or 1h, from 100ms to 1m');
  });
});

describe('sizes', () => {
  test.each([
    ['64MiB', 67_108_864],
    ['256KiB', 262_144],
    ['1GiB', 1_073_741_824],
    ['1GB', 1e9],
    ['5MB', 5e6],
    ['2kB', 2_000],
    ['7B', 7],
    ['1.5KiB', 1_536],
  ])('%p is %p bytes', (given, bytes) => expect(size.parse(given)).toBe(bytes));

  test.each(['64', '0', '', 'MiB', '64 MiB', '64mib', '64M', '64KB', '-1B', '1valueOf'])('%p is refused', (given) =>
    expect(size.parse(given)).toBeUndefined(),
  );

  test('bounds are inclusive', () => {
    const bounded = sizeWithin(1024, 2048, 'from 1KiB to 2KiB');
    expect(['1023B', '1KiB', '2KiB', '2049B'].map((given) => bounded.parse(given))).toEqual([
      undefined,
      1024,
      2048,
      undefined,
    ]);
  });
});

describe('rates', () => {
  test.each([
    ['64KiB/s', 65_536],
    ['1MB/s', 1e6],
    ['', 0],
  ])('%p is %p bytes a second', (given, bytes) => expect(rate.parse(given)).toBe(bytes));

  test.each(['64KiB', '64/s', '64KiB/m', '/s', 's'])('%p is refused', (given) =>
    expect(rate.parse(given)).toBeUndefined(),
  );
});

describe('numbers', () => {
  test('whole numbers within bounds', () => {
    const format = integer(-1, 10);
    expect(
      ['-1', ' 10 ', '0', '-2', '11', '1.0', '1e1', '0x1', '', ' ', 'NaN', '5s'].map((given) => format.parse(given)),
    ).toEqual([-1, 10, 0, ...Array<undefined>(9).fill(undefined)]);
    expect(format.expected).toBe('a whole number from -1 to 10');
  });

  test('decimal numbers within bounds', () => {
    const format = decimal(0, 1);
    expect(['0', '0.2', '1', '1.01', '-0.1', '.5', '', 'Infinity', '1e-1'].map((given) => format.parse(given))).toEqual(
      [0, 0.2, 1, ...Array<undefined>(6).fill(undefined)],
    );
  });
});

describe('words', () => {
  test.each(['true', 'yes', 'on', '1', 'TRUE', ' true '])('%p is true', (given) =>
    expect(flag.parse(given)).toBe(true),
  );
  test.each(['false', 'no', 'off', '0', 'Off'])('%p is false', (given) => expect(flag.parse(given)).toBe(false));
  test.each(['', '2', 'maybe', 'truee'])('%p is neither true nor false', (given) =>
    expect(flag.parse(given)).toBeUndefined(),
  );

  test('one of a few', () => {
    const format = oneOf('auto', 'json');
    expect(['auto', ' json ', 'JSON', '', 'xml'].map((given) => format.parse(given))).toEqual([
      'auto',
      'json',
      undefined,
      undefined,
      undefined,
    ]);
    expect(format.expected).toBe('one of auto, json');
  });

  test('a list of known words is split on white space and commas, each kept once', () => {
    const format = wordList(['cpu', 'disk', 'load']);
    expect(format.parse(' load,cpu  disk\tcpu ')).toEqual(['load', 'cpu', 'disk']);
    expect(format.parse('cpu gpu')).toBeUndefined();
    expect(format.parse(' , ')).toBeUndefined();
  });

  test('texts', () => {
    expect([text.parse(' a b '), text.parse(' '), optionalText.parse(' '), optionalText.parse(' /x ')]).toEqual([
      'a b',
      undefined,
      '',
      '/x',
    ]);
  });
});

describe('regular expressions', () => {
  test('are split on white space; none are fine', () => {
    expect(patterns.parse('lo docker.*\n veth[0-9]+')).toEqual(['lo', 'docker.*', 'veth[0-9]+']);
    expect(patterns.parse('')).toEqual([]);
  });

  test.each(['eth(', 'eth[', 'lo eth**', 'a)|(?:b'])('%p is refused', (given) =>
    expect(patterns.parse(given)).toBeUndefined(),
  );
});

describe('addresses', () => {
  test.each(['http://127.0.0.1:8428/api/v1/import', 'https://vm.example/x?y=1'])('%p is read', (given) =>
    expect(httpUrl.parse(` ${given} `)).toBe(given),
  );
  test.each(['', 'vm.example:8428', 'ftp://vm.example', 'http://', 'http://host:99999/', '/api'])(
    '%p is refused',
    (given) => expect(httpUrl.parse(given)).toBeUndefined(),
  );
  test('may be empty where they are optional', () => {
    expect([optionalHttpUrl.parse(' '), optionalHttpUrl.parse('http://a/'), optionalHttpUrl.parse('a')]).toEqual([
      '',
      'http://a/',
      undefined,
    ]);
  });
});

describe('words that were mistyped', () => {
  test.each([
    [oneOf('debug', 'info', 'warn', 'error'), 'wran', 'must be one of debug, info, warn, error; did you mean warn?'],
    [oneOf('debug', 'info'), 'loud', 'must be one of debug, info'],
    [
      wordList(['cpu', 'disk']),
      'cpu dsik',
      'must be a list of these, split on white space: cpu, disk; did you mean disk?',
    ],
    [wordList(['cpu', 'disk']), ' ', 'must be a list of these, split on white space: cpu, disk'],
  ])('%# lead to the known one that is near', (format, value, problem) => {
    expect([format.parse(value), format.problem?.(value)]).toEqual([undefined, problem]);
  });
});
