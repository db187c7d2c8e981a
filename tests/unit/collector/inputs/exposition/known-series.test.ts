import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { KnownSeries } from '../../../../../collector/src/inputs/exposition/series-part.ts';
import { readerOf, rowsOf } from '../../../../support/collector/exposition-text.ts';

/** What a text comes to: its rows, or why it is refused. */
function outcomeOf(text: string, known?: KnownSeries): unknown {
  try {
    return rowsOf(text, known === undefined ? {} : { known });
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
  const known = new KnownSeries(50);
  fc.assert(
    fc.property(line, (text) => expect(outcomeOf(text, known)).toEqual(outcomeOf(text))),
    { numRuns: 5_000 },
  );
});

describe('a series', () => {
  test('is the same object in the next text', () => {
    const known = new KnownSeries(10);
    const [first, second] = ['a{b="c"} 1\n', 'x 1\na{b="c"} 2\n'].map((text) =>
      readerOf(text, { known }).samples.at(-1)!,
    );
    expect(second).toMatchObject({ value: 2, part: { name: 'a', labels: { b: 'c' } } });
    expect(second!.part).toBe(first!.part);
  });

  test('is forgotten with all others when there are too many', () => {
    const known = new KnownSeries(2);
    const part = (text: string) => readerOf(text, { known }).samples.at(-1)!.part;
    const first = part('a 1\n');
    part('b 1\n');
    expect(part('a 1\n')).toBe(first);
    part('c 1\n');
    expect(part('a 1\n')).not.toBe(first);
  });
});
