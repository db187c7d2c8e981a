import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  formatTime,
  isCount,
  isHistogram,
  isListOf,
  isObjectOf,
  isOptional,
  isRangeList,
  isText,
  isTextByName,
  isTime,
  MAX_DATE_MS,
  parseStored,
  StoredValues,
} from '../../../../shared/src/state/stored-values.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';

describe('stored JSON', () => {
  test('is parsed if it has the type that is asked for', () => {
    expect(parseStored('[[1,2],[5,5]]', isRangeList)).toEqual([
      [1, 2],
      [5, 5],
    ]);
    expect(parseStored('{"counts":[1,0],"sum":0.5}', isHistogram([1]))).toEqual({ counts: [1, 0], sum: 0.5 });
    expect(parseStored('{"a":"b"}', isTextByName)).toEqual({ a: 'b' });
  });

  test.each([
    ['[[1,2],[5,4]]', isRangeList],
    ['[[1,2,3]]', isRangeList],
    ['[[1]]', isRangeList],
    ['[[-1,2]]', isRangeList],
    ['[[1.5,2]]', isRangeList],
    ['[["1","2"]]', isRangeList],
    ['{"0":[1,2],"length":1}', isRangeList],
    ['[[1,2]', isRangeList],
    ['', isRangeList],
    [null, isRangeList],
    [Buffer.from('[[1,2]]'), isRangeList],
    ['{"counts":[1],"sum":0}', isHistogram([1])],
    ['{"counts":[1,-1],"sum":0}', isHistogram([1])],
    ['{"counts":[1,0],"sum":1e999}', isHistogram([1])],
    ['{"counts":[1,0]}', isHistogram([1])],
    ['{"a":1}', isTextByName],
    ['["a"]', isTextByName],
    ['null', isTextByName],
    ['{"__proto__":{"a":1}}', isObjectOf<{ a: number }>({ a: isCount })],
  ])('%j is unreadable', (stored, is) => {
    expect(parseStored<unknown>(stored, is)).toBeUndefined();
  });

  test('an object may lack what is optional, and has what is not', () => {
    const is = isObjectOf<{ a: string; b?: number }>({ a: isText, b: isOptional(isCount) });
    expect([is({ a: 'x' }), is({ a: 'x', b: 1, c: 2 }), is({ a: 'x', b: 'y' }), is({ b: 1 })]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(isListOf(isText)(['a', 1])).toBe(false);
  });

  test('nothing that it is throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.anything()), (stored) => {
        for (const is of [isRangeList, isTextByName, isHistogram([1, 2]), isTime]) parseStored<unknown>(stored, is);
      }),
    );
  });
});

describe('stored times', () => {
  test('beyond the range of dates are printed as numbers', () => {
    expect(formatTime(MAX_DATE_MS)).toBe('+275760-09-13T00:00:00.000Z');
    expect(formatTime(MAX_DATE_MS + 1)).toBe('8640000000000001');
    expect(formatTime(1_700_000_000_000)).toBe('2023-11-14T22:13:20.000Z');
  });

  test('of any number can be formatted', () => {
    fc.assert(fc.property(fc.double(), (ms) => typeof formatTime(ms) === 'string'));
  });

  test('are numbers within the range of dates', () => {
    const times = [0, MAX_DATE_MS, MAX_DATE_MS + 1, -1, NaN, Infinity, null, '1700000000000', 1_700_000_000_000.5];
    expect(times.map(isTime)).toEqual([true, true, false, false, false, false, false, false, true]);
  });
});

test('stored values: one that is unreadable is logged once, and again after it was readable', () => {
  const log = new RecordedLog();
  const values = new StoredValues('things', log);
  const read = (row: string, stored: unknown): number => values.read({ column: 'size', row }, stored, isCount, 7);
  expect([read('a', 'x'), read('a', 'x'), read('b', null), read('a', 3), read('a', -1)]).toEqual([7, 7, 7, 3, 7]);
  expect(log.lines.map(({ message, fields }) => [message, fields])).toEqual(
    ['a', 'b', 'a'].map((row) => ['stored value unreadable, default used', { table: 'things', column: 'size', row }]),
  );
});
