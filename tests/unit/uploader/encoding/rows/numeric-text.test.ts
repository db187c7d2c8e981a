import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { STALE_MARKER, toSpecialBytes, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import { NumericText, printValue, toColumn } from '../../../../../uploader/src/encoding/rows/numeric-text.ts';

/** The numbers of a column as its places say that they stand in its bytes. */
function textsOf({ bytes, starts }: NumericText, count: number): string[] {
  return Array.from({ length: count }, (_, place) =>
    Buffer.from(bytes.subarray(starts[place], starts[place + 1]! - 1)).toString(),
  );
}

test('numeric text: holds each batch whole that it reads one after the other, also empty ones', () => {
  const batches = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 5 });
  fc.assert(
    fc.property(batches, fc.boolean(), (all, areWhole) => {
      const column = new NumericText();
      for (const numbers of all) {
        const bytes = Buffer.from(numbers.join());
        expect(areWhole ? column.readWhole(bytes, numbers.length) : column.readValues(bytes, numbers.length)).toBe(
          true,
        );
        expect(textsOf(column, numbers.length)).toEqual(numbers.map(String));
        if (areWhole) expect([...column.numbers.subarray(0, numbers.length)]).toEqual(numbers);
      }
    }),
  );
});

test('numeric text: returns each number and each special value of a column at its place', () => {
  const value = fc.oneof(
    fc.double({ noNaN: true }),
    fc.constantFrom<SampleValue>(NaN, STALE_MARKER, -0, 0, Infinity, -Infinity),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 20 }), (values) => {
      const column = new NumericText();
      const printed = toColumn(values.map((each) => printValue(each, 'remote-write')));
      expect(column.readValues(printed, values.length)).toBe(true);
      expect(column.hasSpecials).toBe(values.some((each) => toSpecialBytes(each) !== undefined));
      values.forEach((each, place) => {
        const special = column.specialAt(place);
        expect(special && [...special]).toEqual(toSpecialBytes(each) && [...toSpecialBytes(each)!]);
        if (special === undefined) expect(column.numberAt(place)).toBe(each);
      });
    }),
  );
});

test('numeric text: of VictoriaMetrics’ format −0 is a zero', () => {
  expect([-0, 0, -1.5, Infinity, 'a text'].map((value) => printValue(value, 'victoriametrics'))).toEqual([
    '0',
    '0',
    '-1.5',
    '1e999',
    '1',
  ]);
});
