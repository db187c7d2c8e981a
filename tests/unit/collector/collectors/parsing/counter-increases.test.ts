import { expect, test } from '@jest/globals';

import { CounterIncreases } from '../../../../../collector/src/collectors/parsing/counter-increases.ts';

const read = (sources: Readonly<Record<string, { a: number; b: number }>>) => new Map(Object.entries(sources));

test('a source has increases from its second read on', () => {
  const increases = new CounterIncreases<'a' | 'b'>();
  expect(increases.update(read({ x: { a: 1, b: 5 } }))).toEqual(new Map());
  expect(increases.update(read({ x: { a: 3, b: 5 }, y: { a: 9, b: 9 } }))).toEqual(read({ x: { a: 2, b: 0 } }));
  expect(increases.update(read({ x: { a: 3, b: 6 }, y: { a: 9, b: 10 } }))).toEqual(
    read({ x: { a: 0, b: 1 }, y: { a: 0, b: 1 } }),
  );
});

test('a source one of whose counters went back is left out once, and compared with its new counters afterwards', () => {
  const increases = new CounterIncreases<'a' | 'b'>();
  increases.update(read({ x: { a: 10, b: 10 } }));
  expect(increases.update(read({ x: { a: 12, b: 1 } }))).toEqual(new Map());
  expect(increases.update(read({ x: { a: 13, b: 2 } }))).toEqual(read({ x: { a: 1, b: 1 } }));
});

test('a judge of the changes decides what increased, or that nothing is known', () => {
  const increases = new CounterIncreases<'a' | 'b'>(({ a, b }) => (b < 0 ? undefined : { a: Math.max(0, a), b }));
  increases.update(read({ x: { a: 10, b: 10 }, y: { a: 10, b: 10 } }));
  expect(increases.update(read({ x: { a: 1, b: 12 }, y: { a: 11, b: 9 } }))).toEqual(read({ x: { a: 0, b: 2 } }));
});

test('a source that was away begins anew', () => {
  const increases = new CounterIncreases<'a' | 'b'>();
  increases.update(read({ x: { a: 1, b: 1 } }));
  increases.update(read({}));
  expect(increases.update(read({ x: { a: 2, b: 2 } }))).toEqual(new Map());
});
