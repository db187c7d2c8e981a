import { expect } from '@jest/globals';

import type { ExportedSeries } from './victoria-metrics.ts';

/** Values by series, in the order of time; without the series of the scraper itself. */
export function valuesBySeries(
  exported: readonly ExportedSeries[],
  own: RegExp,
  count = Infinity,
): Map<string, number[]> {
  const kept = exported.filter(({ metric }) => !own.test(metric['__name__']!));
  return new Map(
    kept.map(({ metric, values }) => {
      // vmagent ends a series with a marker that is no value.
      const real = values.filter((value) => value !== null && !Number.isNaN(value));
      return [JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))), real.slice(0, count)];
    }),
  );
}

/** Expects the same series with the same values, each within a billionth. */
export function expectSameValues(
  actual: ReadonlyMap<string, readonly number[]>,
  expected: ReadonlyMap<string, readonly number[]>,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  const differing = [...expected].filter(([series, values]) => {
    const others = actual.get(series)!;
    return (
      others.length !== values.length ||
      values.some((value, index) => Math.abs(value - others[index]!) > 1e-9 * Math.abs(value))
    );
  });
  expect(differing.map(([series, values]) => [series, values, actual.get(series)])).toEqual([]);
}
