import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ParsedSeriesCache } from '../../../../../collector/src/inputs/exposition/parsed-series.ts';
import { ExpositionReader } from '../../../../../collector/src/inputs/exposition/reader.ts';
import { readToEnd, parseRows } from '../../../../support/collector/exposition-text.ts';

/** What a text comes to: its rows, or why it is refused. */
function parseOutcome(text: string, cache?: ParsedSeriesCache): unknown {
  try {
    return parseRows(text, cache === undefined ? {} : { cache });
  } catch (error) {
    return (error as Error).message;
  }
}

/** Lines that are made of the grammar's own pieces, so that most are nearly right. */
const line = fc
  .array(
    fc.constantFrom(
      'a',
      'b:c',
      '{',
      '}',
      '"',
      '\\',
      '\\"',
      '=',
      ',',
      ' ',
      '\t',
      'd="e"',
      '"f.g"',
      '{h="i}"}',
      '1',
      '-2.5',
      'NaN',
      '#',
      'é',
      '\0',
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));

test('a text whose series nobody keeps has the same errors, samples and values', () => {
  const read = (text: string, isKeepingSeries: boolean): unknown => {
    const samples: unknown[] = [];
    const reader = new ExpositionReader({ format: 'prometheus' }, (_series, ...sample) => samples.push(sample));
    reader.isKeepingSeries = isKeepingSeries;
    reader.begin(text);
    try {
      while (reader.read(1));
      return samples;
    } catch (error) {
      return [samples, (error as Error).message];
    }
  };
  fc.assert(
    fc.property(line, (text) => expect(read(text, false)).toEqual(read(text, true))),
    { numRuns: 5_000 },
  );
  expect(read('a{b="c",b="d"} 1', false)).toEqual([[], 'line 1: duplicate label "b"']);
});

test('the cache holds a bounded number of characters, and no series that is very long', () => {
  const cache = new ParsedSeriesCache(1_000_000);
  for (let index = 0; index < 500; index++) {
    readToEnd(`{"${String(index).padEnd(12_000, 'x')}"} 1\n{"${String(index).padEnd(1_000_000, 'y')}"} 1\n`, { cache });
    expect(cache.characters).toBeLessThanOrEqual(2 * 1024 * 1024);
  }
  expect(cache.characters).toBeGreaterThan(0);
});

test('a series of a thousand labels is read, one of more is refused at once', () => {
  const write = (count: number): string =>
    `a{${Array.from({ length: count }, (_, index) => `l${index}="v"`).join(',')}} 1\n`;
  expect(Object.keys(parseRows(write(1_000))[0]![1])).toHaveLength(1_000);
  const text = write(300_000);
  const startedAt = performance.now();
  expect(parseOutcome(text)).toBe('line 1: a series of more than 1000 labels');
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test('a text is read the same whether its series are known or not, right or wrong', () => {
  const cache = new ParsedSeriesCache(50);
  fc.assert(
    fc.property(line, (text) => expect(parseOutcome(text, cache)).toEqual(parseOutcome(text))),
    { numRuns: 5_000 },
  );
});

describe('a series', () => {
  test('is the same object in the next text', () => {
    const cache = new ParsedSeriesCache(10);
    const [first, second] = ['a{b="c"} 1\n', 'x 1\na{b="c"} 2\n'].map((text) =>
      readToEnd(text, { cache }).samples.at(-1)!,
    );
    expect(second).toMatchObject({ value: 2, series: { name: 'a', labels: { b: 'c' } } });
    expect(second!.series).toBe(first!.series);
  });

  test('is forgotten with all others when there are too many', () => {
    const cache = new ParsedSeriesCache(2);
    const parse = (text: string) => readToEnd(text, { cache }).samples.at(-1)!.series;
    const first = parse('a 1\n');
    parse('b 1\n');
    expect(parse('a 1\n')).toBe(first);
    parse('c 1\n');
    expect(parse('a 1\n')).not.toBe(first);
  });
});
