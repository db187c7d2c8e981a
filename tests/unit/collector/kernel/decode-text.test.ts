import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { decodeKernelText } from '../../../../collector/src/kernel/decode-text.ts';

describe('decodeKernelText', () => {
  test('returns UTF-8 as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeKernelText(Buffer.from(text.toWellFormed()))).toBe(text.toWellFormed());
      }),
    );
  });

  test.each([
    ['ff', '\\xff'],
    ['61ff62', 'a\\xffb'],
    ['c3a4ff', 'ä\\xff'],
    ['ffc3a4', '\\xffä'],
    // Cut, overlong, a surrogate, and beyond the last character.
    ['c3', '\\xc3'],
    ['e282', '\\xe2\\x82'],
    ['c0af', '\\xc0\\xaf'],
    ['e08080', '\\xe0\\x80\\x80'],
    ['eda080', '\\xed\\xa0\\x80'],
    ['f4908080', '\\xf4\\x90\\x80\\x80'],
    ['f09f8d8f80', '🍏\\x80'],
  ])('writes the bytes %s, which are not UTF-8, as %s', (hex, text) => {
    expect(decodeKernelText(Buffer.from(hex, 'hex'))).toBe(text);
  });

  test('returns different texts for different bytes, and no half characters', () => {
    const bytes = fc.uint8Array({ maxLength: 8 }).filter((one) => !one.includes(0x5c));
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        const [first, second] = [one, other].map((each) => decodeKernelText(Buffer.from(each)));
        expect(first === second).toBe(Buffer.from(one).equals(Buffer.from(other)));
        expect(first).not.toContain('\ufffd');
        expect(first?.isWellFormed()).toBe(true);
      }),
      // U+FFFD itself is three bytes of UTF-8.
      { numRuns: 500 },
    );
  });
});
