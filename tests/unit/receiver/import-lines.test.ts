import { describe, expect, test } from '@jest/globals';
import { parseImportLines, seriesOf } from '../../receiver/src/import-lines.ts';

const time = 1_700_000_000_000;

function line(record: object): string {
  return JSON.stringify({ metric: { __name__: 'a' }, values: [1], timestamps: [time], ...record });
}

describe('a body of JSON lines', () => {
  test('yields its samples in body order', () => {
    const first = line({ metric: { __name__: 'b' }, values: [2, 1], timestamps: [time + 1, time] });
    const { rows, invalidLines } = parseImportLines(`${first}\n${line({ values: [3] })}\n`);
    expect(rows.map(({ metric, value, timestampMs }) => [metric['__name__'], value, timestampMs])).toEqual([
      ['b', 2, time + 1],
      ['b', 1, time],
      ['a', 3, time],
    ]);
    expect(invalidLines).toBe(0);
  });

  test('may have CRLF, empty lines, unknown keys, and no newline at its end', () => {
    const { rows, invalidLines } = parseImportLines(`${line({ extra: 1 })}\r\n\r\n\n${line({})}`);
    expect([rows.length, invalidLines]).toEqual([2, 0]);
  });

  test.each([
    ['is cut short', '{"metric":{"__name__":"a"},"val'],
    ['is not an object', '[1]'],
    ['has no metric', line({ metric: undefined })],
    ['has a metric without labels', line({ metric: {} })],
    ['has a null among its values', line({ values: [1, null], timestamps: [time, time] })],
    ['has a string among its values', line({ values: [1, 'NaN'], timestamps: [time, time] })],
    ['has true among its values', line({ values: [true] })],
    ['has a fractional timestamp', line({ timestamps: [time + 0.5] })],
    ['has a timestamp as a string', line({ timestamps: [String(time)] })],
    ['has fewer timestamps than values', line({ values: [1, 2] })],
    ['has empty arrays', line({ values: [], timestamps: [] })],
  ])('loses a line that %s, and no other', (_, bad) => {
    const { rows, invalidLines } = parseImportLines([line({}), bad, line({})].join('\n'));
    expect([rows.length, invalidLines]).toEqual([2, 1]);
  });

  test('stores a number too large for a double as infinity', () => {
    expect(parseImportLines(line({}).replace('[1]', '[1e999]')).rows[0]?.value).toBe(Infinity);
  });

  test('loses the sign of a negative zero', () => {
    expect(parseImportLines(line({}).replace('[1]', '[-0]')).rows[0]?.value).toBe(0);
  });
});

describe('the labels of a line', () => {
  function storedLabels(metric: object): Readonly<Record<string, string>> | undefined {
    return parseImportLines(line({ metric })).rows[0]?.metric;
  }

  test('lose those that are not strings or are empty, so that series merge', () => {
    expect(storedLabels({ __name__: 'a', port: 80, gone: null, empty: '', kept: 'x' })).toEqual({
      __name__: 'a',
      kept: 'x',
    });
  });

  test('lose all beyond the thirtieth, the name counted', () => {
    const extra = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`l${index}`, 'x']));
    expect(Object.keys(storedLabels({ __name__: 'a', ...extra }) ?? {})).toHaveLength(30);
  });

  test('are cut to 16,384 bytes, however many characters those are', () => {
    expect(storedLabels({ __name__: 'a', long: 'x'.repeat(20_000) })?.['long']).toHaveLength(16_384);
    expect(storedLabels({ __name__: 'a', long: 'é'.repeat(10_000) })?.['long']).toHaveLength(8_192);
  });

  test('make the same series in any order', () => {
    expect(seriesOf({ b: '1', a: '2' })).toBe(seriesOf({ a: '2', b: '1' }));
    expect(seriesOf({ a: '1', b: '2' })).not.toBe(seriesOf({ a: '2', b: '1' }));
  });
});
