// Longer than a test should be: each kind of value that is logged is a case, in both formats.
import { stripVTControlCharacters } from 'node:util';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { AgentError } from '../../../../shared/src/errors.ts';
import type { LineOutput } from '../../../../shared/src/logging/log-output.ts';
import {
  createLogger,
  toErrorFields,
  resolveLogFormat,
  type LogFields,
  type Logger,
  type LoggerOptions,
} from '../../../../shared/src/logging/logger.ts';

const LIMIT_BYTES = 32 * 1024;

/** What a logger wrote, as text and as JSON. */
function written(
  log: (logger: Logger) => void,
  options: Partial<LoggerOptions> = {},
): { text: string; records: Record<string, unknown>[] } {
  let text = '';
  const output: LineOutput = {
    write: (line) => void (text += line),
    reportLostBy: () => undefined,
    drain: () => Promise.resolve(),
  };
  log(
    createLogger({
      level: 'debug',
      format: 'json',
      beginsWithPriority: false,
      output,
      fields: { session_id: 's1' },
      ...options,
    }),
  );
  const lines = text.split('\n').slice(0, -1);
  return {
    text,
    records:
      options.format === 'console'
        ? []
        : lines.map((line) => JSON.parse(line.replace(/^<\d>/, '')) as Record<string, unknown>),
  };
}

function recordOf(fields: LogFields, message = 'scrape'): Record<string, unknown> {
  const { records } = written((logger) => logger.info(message, fields));
  expect(records).toHaveLength(1);
  return records[0]!;
}

describe('a line', () => {
  test('is one JSON object with time, level and msg first, then the fields', () => {
    const { text, records } = written((logger) => logger.info('scrape', { collector: 'cpu', count: 7 }));
    expect(text.endsWith('}\n')).toBe(true);
    expect(Object.keys(records[0]!)).toEqual(expect.arrayContaining(['session_id', 'collector', 'count']));
    expect(Object.keys(records[0]!).slice(0, 3)).toEqual(['time', 'level', 'msg']);
    expect(records[0]).toEqual({
      time: expect.any(String),
      level: 'info',
      msg: 'scrape',
      session_id: 's1',
      collector: 'cpu',
      count: 7,
    });
    expect(new Date(String(records[0]!['time'])).toISOString()).toBe(records[0]!['time']);
  });

  test('bears the fields of the child that logged it, and of that one’s parents (A-43)', () => {
    const { records } = written((logger) => {
      const child = logger.child({ batch_id: 'b1' });
      child.child({ chunk_index: 3 }).warn('chunk refused', { attempt: 2 });
      child.info('batch');
      logger.info('plain');
    });
    expect(records[0]).toMatchObject({ level: 'warn', session_id: 's1', batch_id: 'b1', chunk_index: 3, attempt: 2 });
    expect(records[1]).toMatchObject({ msg: 'batch', session_id: 's1', batch_id: 'b1' });
    expect(records[1]).not.toHaveProperty('chunk_index');
    expect(records[2]).not.toHaveProperty('batch_id');
  });

  test('is written for its level and the more severe ones only', () => {
    const all = (logger: Logger): void =>
      (['error', 'warn', 'info', 'debug'] as const).forEach((level) => logger[level](level));
    expect(written(all, { level: 'warn' }).records.map(({ msg }) => msg)).toEqual(['error', 'warn']);
    expect(written(all, { level: 'debug' }).records).toHaveLength(4);
  });

  test('stays one line when its texts hold line ends', () => {
    expect(recordOf({ stack: 'a\n  at b\r\n' }, 'two\nlines')).toMatchObject({
      msg: 'two\nlines',
      stack: 'a\n  at b\r\n',
    });
  });

  test.each(['100%d', 'cannot open /data/%c/metrics.db', '%s', '%', '%%o'])(
    'keeps its fields and its message when that is %p',
    (message) => {
      expect(recordOf({ count: 7 }, message)).toMatchObject({ msg: message, count: 7, session_id: 's1' });
    },
  );

  test('takes no field for what it says itself', () => {
    expect(recordOf({ message: 'm', stack: 's', level: 'l', cause: 'c', count: 1 })).toMatchObject({
      msg: 'scrape',
      level: 'info',
      stack: 's',
      count: 1,
    });
    expect(recordOf({ msg: 'other', time: 0 })).toMatchObject({ msg: 'scrape', time: expect.any(String) });
  });

  test('can be made of fields that JSON does not know', () => {
    const circular: Record<string, unknown> = { name: 'c' };
    circular['itself'] = circular;
    const throwing = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    expect(recordOf({ big: 5n, circular, throwing, none: undefined, nan: NaN, count: 7 })).toMatchObject({
      msg: 'scrape',
      big: '5',
      count: 7,
      nan: null,
    });
  });
});

describe('under journald', () => {
  test.each([
    ['error', '<3>'],
    ['warn', '<4>'],
    ['info', '<6>'],
    ['debug', '<7>'],
  ] as const)('%s begins with %s', (level, prefix) => {
    expect(written((logger) => logger[level]('x'), { beginsWithPriority: true }).text.slice(0, 4)).toBe(`${prefix}{`);
    expect(
      written((logger) => logger[level]('x'), { beginsWithPriority: true, format: 'console' }).text.slice(0, 3),
    ).toBe(prefix);
    expect(written((logger) => logger[level]('x')).text[0]).toBe('{');
  });
});

describe('no line is longer than 32 KiB, and each still parses', () => {
  const many = (count: number, value: unknown): LogFields =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`field_${index}`, value]));
  const deep = (levels: number, leaf: unknown): unknown =>
    Array.from({ length: levels }).reduce((inner) => ({ inner }), leaf);
  const cases: [string, LogFields, string?][] = [
    ['one long text', { error: 'x'.repeat(100_000) }],
    ['many long texts', many(200, 'x'.repeat(2_000))],
    ['many short texts', many(10_000, 'a short text')],
    ['many numbers', { list: Array.from({ length: 20_000 }, (_, index) => index) }],
    ['texts of three bytes a letter', many(20, '€'.repeat(1_500))],
    ['texts of letters outside the basic plane', many(20, `x${'😀'.repeat(1_500)}`)],
    ['control characters, six bytes each', many(20, '\u0001'.repeat(1_500))],
    ['half surrogates', many(20, '\ud83d'.repeat(1_500))],
    ['a deep object', { deep: deep(500, 'x'.repeat(5_000)), wide: deep(50, many(300, 'y'.repeat(1_200))) }],
    ['an object too deep for JSON', { deep: deep(20_000, 1) }],
    ['long names of fields', { ['n'.repeat(40_000)]: 1 }],
    ['a long message', { count: 7 }, 'x'.repeat(100_000)],
    ['a long message of three bytes a letter', { count: 7 }, '€'.repeat(100_000)],
  ];

  test.each(cases)('%s', (_what, fields, message = 'scrape') => {
    for (const beginsWithPriority of [false, true]) {
      const { text, records } = written((logger) => logger.error(message, { ...fields, error_code: 'LAST' }), {
        beginsWithPriority,
      });
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMIT_BYTES);
      expect(records).toHaveLength(1);
      expect(records[0]).toMatchObject({
        level: 'error',
        session_id: 's1',
        msg: expect.stringContaining(message.slice(0, 200)),
        error_code: 'LAST',
      });
    }
  });

  test('whatever the fields are', () => {
    const long = fc
      .tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 3_000 }))
      .map(([unit, times]) => unit.repeat(times));
    const field = fc.oneof(
      long,
      fc.array(long, { maxLength: 5 }),
      fc.object({ maxDepth: 3, values: [long, fc.integer()] }),
      fc.anything(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 12 }), field, { maxKeys: 10 }), (fields) => {
        const { text, records } = written((logger) => logger.info('scrape', { ...fields }));
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMIT_BYTES);
        expect(records).toHaveLength(1);
        expect(records[0]).toMatchObject({ msg: 'scrape', level: 'info' });
      }),
      { numRuns: 200 },
    );
  });

  test('a line that fits is not cut', () => {
    expect(recordOf({ error: 'x'.repeat(30_000) })['error']).toHaveLength(30_000);
  });

  test('what was cut is marked as cut, and fields that were left out are counted', () => {
    expect(recordOf({ error: 'x'.repeat(100_000) })['error']).toMatch(/^x+…$/);
    const record = recordOf(many(10_000, 'short'));
    const kept = Object.keys(record).filter((name) => name.startsWith('field_')).length;
    expect(kept).toBeGreaterThan(500);
    expect(record['fields_left_out']).toBe(10_000 - kept);
  });

  test('on a console too', () => {
    const { text } = written((logger) => logger.info('scrape', { error: '€'.repeat(100_000) }), {
      format: 'console',
      beginsWithPriority: true,
    });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMIT_BYTES);
    expect(text).not.toContain('\ufffd');
  });
});

test('a text of somebody else is escaped: on a console it is cut too, and only a stack has lines of its own', () => {
  const fields = { reason: 'a\x1b[2J\x9b2J\u202e\n12:00:00.000 INFO  forged', long: 'x'.repeat(12_000) };
  const { text } = written((logger) => logger.warn('failed', fields), { format: 'console' });
  expect(text).toContain('reason=a\\u001b[2J\\u009b2J\\u202e\\n12:00:00.000 INFO  forged long=xxx');
  expect([text.split('\n').length, text.length < 1_300]).toEqual([2, true]);
  const stack = 'Error: a\n12:00:00.000 INFO  forged\x1b\n    at x';
  expect(
    written((logger) => logger.warn('failed', { stack }), { format: 'console' })
      .text.split('\n')
      .slice(1),
  ).toEqual(['    12:00:00.000 INFO  forged\\u001b', '        at x', '']);
  const json = written((logger) => logger.warn('failed', fields));
  expect(json.text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
  expect(json.records[0]).toMatchObject(fields);
});

test.each([
  ['error', 31],
  ['warn', 33],
  ['info', 32],
  ['debug', 34],
] as const)(
  'the console shows the level %s in its color, and dims what is not the message or a value',
  (level, code) => {
    const log = (logger: Logger): void => logger[level]('scrape', { collector: 'cpu', reason: '\x1b[31m' });
    const { text } = written(log, { format: 'console', isColored: true });
    expect(text).toContain(`\x1b[${code}m${level.toUpperCase().padEnd(5)}\x1b[39m scrape \x1b[2mcollector=\x1b[22mcpu`);
    expect(text).toContain('reason=\x1b[22m\\u001b[31m\n');
    const plain = written(log, { format: 'console' }).text;
    expect(stripVTControlCharacters(text).slice(12)).toBe(plain.slice(12));
    expect(plain).not.toContain('\x1b');
  },
);

test('JSON has no colors, nor has a line of the console that is cut', () => {
  expect(written((logger) => logger.info('scrape'), { isColored: true }).text).not.toContain('\x1b');
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`field_${at}`, 'x'.repeat(1_000)]));
  const { text } = written((logger) => logger.info('scrape', many), { format: 'console', isColored: true });
  expect(text).not.toContain('\x1b');
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMIT_BYTES);
});

test('the console shows local time, level, message and the fields but for the session', () => {
  const { text } = written(
    (logger) =>
      logger.warn('collector failing', {
        collector: 'cpu',
        count: 1_234_567_890_123,
        took_ms: 0.1 + 0.2,
        none: undefined,
        list: [1],
      }),
    { format: 'console' },
  );
  expect(text).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}collector failing collector=cpu count=1234567890123 took_ms=0\.3 list=\[1\]\n$/,
  );
});

test.each([
  ['auto', true, 'console'],
  ['auto', false, 'json'],
  ['json', true, 'json'],
  ['console', false, 'console'],
] as const)('the format %s is, where a terminal is there (%s), %s', (format, isTerminal, resolved) =>
  expect(resolveLogFormat(format, isTerminal)).toBe(resolved),
);

describe('the fields of an error', () => {
  test('of an expected one are its message, code and hint, without a stack', () => {
    expect(toErrorFields(new AgentError('no', { code: 'BAD_USAGE', hint: 'look' }))).toEqual({
      error: 'no',
      error_type: 'AgentError',
      error_code: 'BAD_USAGE',
      hint: 'look',
    });
  });

  test('of one that nobody foresaw have its stack', () => {
    const fields = toErrorFields(Object.assign(new TypeError('no'), { code: 'ENOENT' }));
    expect(fields).toMatchObject({
      error: 'no',
      error_type: 'TypeError',
      error_code: 'ENOENT',
      stack: expect.stringContaining('logger.test'),
    });
  });

  test.each([
    ['text', 'string'],
    [undefined, 'undefined'],
    [null, 'object'],
  ])('of something else that was thrown, %p, say its type', (thrown, type) => {
    expect(toErrorFields(thrown)).toMatchObject({ error: String(thrown), error_type: type });
  });
});
