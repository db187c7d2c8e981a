import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { includes, intersect, merge, toRanges, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { idsIn } from '../../../support/uploader/stored-samples.ts';

const range = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 8 }))
  .map(([first, more]): IdRange => [first, first + more]);
/** Overlapping, adjacent and in any order. */
const anyRanges = fc.array(range, { maxLength: 12 });
const ascending = anyRanges.map((ranges) => merge(ranges));

function setOf(ranges: readonly IdRange[]): Set<number> {
  return new Set(idsIn(ranges));
}

function sorted(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}

/** Disjoint, not adjacent, ascending, and none of them empty. */
function isNormal(ranges: readonly IdRange[]): boolean {
  return ranges.every(([first, last], index) => first <= last && (index === 0 || first > ranges[index - 1]![1] + 1));
}

describe('ranges hold what a set of their ids holds', () => {
  test('when they are merged', () => {
    fc.assert(
      fc.property(anyRanges, (ranges) => {
        const merged = merge(ranges);
        expect(isNormal(merged)).toBe(true);
        expect(idsIn(merged)).toEqual(sorted(setOf(ranges)));
      }),
    );
  });

  test('when they are made of ids in any order, some of them twice', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (ids) => {
        const ranges = toRanges(ids);
        expect(isNormal(ranges)).toBe(true);
        expect(idsIn(ranges)).toEqual(sorted(new Set(ids)));
      }),
    );
  });

  test('when one is taken from the other', () => {
    fc.assert(
      fc.property(ascending, ascending, (ranges, taken) => {
        const rest = subtract(ranges, taken);
        const gone = setOf(taken);
        expect(isNormal(rest)).toBe(true);
        expect(idsIn(rest)).toEqual(idsIn(ranges).filter((id) => !gone.has(id)));
      }),
    );
  });

  test('when an id is looked for', () => {
    fc.assert(
      fc.property(ascending, fc.integer({ min: 0, max: 70 }), (ranges, id) => {
        expect(includes(ranges, id)).toBe(setOf(ranges).has(id));
      }),
    );
  });

  test('when they are intersected', () => {
    fc.assert(
      fc.property(ascending, ascending, (ranges, others) => {
        const also = setOf(others);
        expect(idsIn(intersect(ranges, others))).toEqual(idsIn(ranges).filter((id) => also.has(id)));
      }),
    );
  });
});

describe('a range', () => {
  test('next to another becomes one with it, a gap of one id keeps them apart', () => {
    expect(
      merge([
        [4, 6],
        [1, 3],
        [8, 9],
      ]),
    ).toEqual([
      [1, 6],
      [8, 9],
    ]);
  });

  test('that lies inside another vanishes in it', () => {
    expect(
      merge([
        [1, 10],
        [2, 3],
        [5, 5],
      ]),
    ).toEqual([[1, 10]]);
  });

  test('from which its middle is taken is two', () => {
    expect(subtract([[1, 10]], [[4, 6]])).toEqual([
      [1, 3],
      [7, 10],
    ]);
  });

  test('may be one that something is taken from again after the next has begun', () => {
    expect(
      subtract(
        [
          [1, 5],
          [7, 9],
        ],
        [[4, 8]],
      ),
    ).toEqual([
      [1, 3],
      [9, 9],
    ]);
  });

  test('may hold ids beyond 32 bits', () => {
    expect(toRanges([2 ** 40 + 1, 2 ** 40])).toEqual([[2 ** 40, 2 ** 40 + 1]]);
  });
});

test('merging leaves its argument as it was', () => {
  const ranges: IdRange[] = [
    [4, 6],
    [1, 3],
  ];
  merge(ranges);
  expect(ranges).toEqual([
    [4, 6],
    [1, 3],
  ]);
});
