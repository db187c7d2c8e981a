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
    ['has another text among its values', line({ values: [1, 'one'], timestamps: [time, time] })],
    ['has true among its values', line({ values: [true] })],
    ['has a fractional timestamp', line({ timestamps: [time + 0.5] })],
    ['has a timestamp as a string', line({ timestamps: [String(time)] })],
    ['has fewer timestamps than values', line({ values: [1, 2] })],
    ['has empty arrays', line({ values: [], timestamps: [] })],
  ])('loses a line that %s, and no other', (_, bad) => {
    const { rows, invalidLines } = parseImportLines([line({}), bad, line({})].join('\n'));
    expect([rows.length, invalidLines]).toEqual([2, 1]);
  });

  test.each([null, 'NaN'])('leaves out a sample whose value is %p, and only that', (value) => {
    const { rows, invalidLines } = parseImportLines(
      line({ values: [1, value, 3], timestamps: [time, time + 1, time + 2] }),
    );
    expect([rows.map((row) => [row.value, row.timestampMs]), invalidLines]).toEqual([
      [
        [1, time],
        [3, time + 2],
      ],
      0,
    ]);
  });

  test('stores infinities that are texts', () => {
    const { rows } = parseImportLines(line({ values: ['Infinity', '-Infinity'], timestamps: [time, time] }));
    expect(rows.map(({ value }) => value)).toEqual([Infinity, -Infinity]);
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

  const extra = (count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']));

  test.each([
    ['40 labels with the name', extra(39), extra(40)],
    ['a name of 256 bytes', { ['é'.repeat(128)]: 'x' }, { ['é'.repeat(129)]: 'x' }],
    ['a value of 4,096 bytes', { long: 'é'.repeat(2_048) }, { long: `${'é'.repeat(2_048)}x` }],
  ])('are stored up to %s; beyond that the series is dropped, and not counted as invalid', (_, most, tooMany) => {
    expect(storedLabels({ __name__: 'a', ...most })).toEqual({ __name__: 'a', ...most });
    expect(parseImportLines(line({ metric: { __name__: 'a', ...tooMany } }))).toEqual({ rows: [], invalidLines: 0 });
  });

  test('make the same series in any order', () => {
    expect(seriesOf({ b: '1', a: '2' })).toBe(seriesOf({ a: '2', b: '1' }));
    expect(seriesOf({ a: '1', b: '2' })).not.toBe(seriesOf({ a: '2', b: '1' }));
  });
});
