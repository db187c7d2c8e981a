import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { NumericText } from '../../../../../uploader/src/encoding/rows/numeric-text.ts';

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
        expect(areWhole ? column.readWhole(bytes, numbers.length) : column.readFinite(bytes, numbers.length)).toBe(
          true,
        );
        expect(textsOf(column, numbers.length)).toEqual(numbers.map(String));
        if (areWhole) expect([...column.numbers.subarray(0, numbers.length)]).toEqual(numbers);
      }
    }),
  );
});
