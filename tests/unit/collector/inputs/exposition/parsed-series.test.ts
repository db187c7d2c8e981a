import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ParsedSeriesCache } from '../../../../../collector/src/inputs/exposition/parsed-series.ts';
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
