import { describe, expect, test } from '@jest/globals';
import { exportLines, instantVector } from '../../receiver/src/export-lines.ts';
import { seriesOf, type Row } from '../../receiver/src/import-lines.ts';
import { parseSelector } from '../../receiver/src/selector.ts';
import { SampleStore } from '../../receiver/src/store.ts';

const now = 1_700_000_000_000;
const dayMs = 86_400_000;

function row(name: string, value: number, timestampMs = now): Row {
  const metric = { __name__: name };
  return { series: seriesOf(metric), metric, value, timestampMs };
}

function storeWith(...rows: Row[]): SampleStore {
  const store = new SampleStore(30 * dayMs);
  store.add(rows, now);
  return store;
}

function exported(store: SampleStore, request: Partial<Parameters<typeof exportLines>[1]> = {}): string[] {
  const all = { selectors: [() => true], startMs: -Infinity, endMs: Infinity, raw: false };
  return [...exportLines(store.series(), { ...all, ...request })];
}

describe('what is stored', () => {
  test('keeps every row, and counts those that came before', () => {
    const store = storeWith(row('a', 1), row('a', 1), row('a', 2, now + 1), row('b', 1), row('a', 1));
    expect(store.rows().map(({ value }) => value)).toEqual([1, 1, 1, 2, 1]);
    expect(store.counts()).toMatchObject({ stored: 5, duplicates: 2 });
  });

  test('leaves out what is older than the retention or over two days ahead', () => {
    const store = storeWith();
    const times = [now - 30 * dayMs - 1, now - 30 * dayMs, now + 2 * dayMs, now + 2 * dayMs + 1];
    expect(
      store.add(
        times.map((time) => row('a', 1, time)),
        now,
      ),
    ).toBe(2);
    expect(store.counts()).toMatchObject({ stored: 2, tooOld: 1, tooNew: 1 });
  });
});

describe('an export', () => {
  test('has one line a series, in the order of time, with one value a time', () => {
    const store = storeWith(row('a', 3, now + 1), row('a', 1), row('a', 1), row('b', Infinity));
    expect(exported(store)).toEqual([
      `{"metric":{"__name__":"a"},"values":[1,3],"timestamps":[${now},${now + 1}]}\n`,
      `{"metric":{"__name__":"b"},"values":["Infinity"],"timestamps":[${now}]}\n`,
    ]);
  });

  test('has every row when it is raw', () => {
    const [line] = exported(storeWith(row('a', 1), row('a', 1)), { raw: true });
    expect(line).toBe(`{"metric":{"__name__":"a"},"values":[1,1],"timestamps":[${now},${now}]}\n`);
  });

  test('has the times asked for, the first and the last included, and no series without any', () => {
    const store = storeWith(row('a', 1), row('a', 2, now + 1), row('a', 3, now + 2), row('b', 1, now + 9));
    expect(exported(store, { startMs: now, endMs: now + 1 })).toEqual([
      `{"metric":{"__name__":"a"},"values":[1,2],"timestamps":[${now},${now + 1}]}\n`,
    ]);
  });
});

test('an instant query gives the newest value of each series that is meant, with its time in seconds', () => {
  const store = storeWith(row('a', 2, now + 500), row('a', 1), row('b', 1));
  expect(instantVector(store.series(), parseSelector('a'))).toMatchObject({
    data: { result: [{ metric: { __name__: 'a' }, value: [now / 1000 + 0.5, '2'] }] },
  });
});

describe('a selector', () => {
  const metric = { __name__: 'cpu_usage', core: '0', path: 'a"b' };

  test.each([
    ['cpu_usage', true],
    ['cpu', false],
    ['{__name__!=""}', true],
    ['{__name__="cpu_usage"}', true],
    ['cpu_usage{core="0"}', true],
    ['cpu_usage{core="1"}', false],
    ['{core="0",path="a\\"b"}', true],
    ['{core="0", missing=""}', true],
    ['{missing!=""}', false],
    ['{__name__=~"cpu.*"}', true],
    ['{__name__=~"cpu"}', false],
    ['{core!~"1|2"}', true],
  ])('%s: %s', (text, expected) => {
    expect(parseSelector(text)(metric)).toBe(expected);
  });

  test.each(['', 'cpu{', '{core=0}', '{core="0" path="x"}', 'sum(cpu)'])('refuses %p', (text) => {
    expect(() => parseSelector(text)).toThrow(SyntaxError);
  });
});
