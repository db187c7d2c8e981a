import { describe, expect, test } from '@jest/globals';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';
import fc from 'fast-check';

import { SeriesLimit } from '../../../../collector/src/scheduling/series-limit.ts';
import { reading } from '../../../support/collector/collector-parts.ts';

const HOUR_MS = 3_600_000;
const series = (...names: (string | number)[]): Reading[] =>
  names.map((name) => reading('x.y', 1, { name: String(name) }));
const namesIn = (readings: readonly Reading[]) => readings.flatMap(({ labels }) => labels['name'] ?? []);
const droppedIn = (readings: readonly Reading[]) =>
  readings.find(({ series }) => series.name === 'collector.series_dropped_total')?.value;

describe('series limit: a series', () => {
  test('series limit: keeps admitted series, and refuses and counts later ones once, not at each scrape', () => {
    const limit = new SeriesLimit({ perCollector: 2, total: 10 });
    expect(limit.admit('net', series('a', 'b'), 0)).toEqual({ readings: series('a', 'b'), refusals: [] });
    for (const nowMs of [10, 20, 30]) {
      const { readings, refusals } = limit.admit('net', series('c', 'a', 'b'), nowMs);
      expect([namesIn(readings), droppedIn(readings), refusals.length]).toEqual([['a', 'b'], 1, 1]);
    }
    expect(droppedIn(limit.admit('net', series('c', 'd'), 40).readings)).toBe(2);
  });

  test('series limit: a series counts for an hour after its last reading, then another one is admitted', () => {
    const limit = new SeriesLimit({ perCollector: 1, total: 10 });
    limit.admit('net', series('a'), 0);
    expect(namesIn(limit.admit('net', series('b'), HOUR_MS).readings)).toEqual([]);
    expect(namesIn(limit.admit('net', series('b'), HOUR_MS + 1).readings)).toEqual(['b']);
    expect(namesIn(limit.admit('net', series('a'), HOUR_MS + 2).readings)).toEqual([]);
  });

  test('series limit: a long series is remembered by a short text, and is not another one that begins alike', () => {
    const limit = new SeriesLimit({ perCollector: 1, total: 10 });
    const long = (end: string): Reading[] => series(`${'x'.repeat(1_000_000)}${end}`);
    expect(limit.admit('net', long('a'), 0).refusals).toEqual([]);
    expect(limit.admit('net', long('a'), 1).refusals).toEqual([]);
    const { refusals, notice } = limit.admit('net', long('b'), 2);
    expect(refusals).toHaveLength(1);
    expect(notice!.length).toBeLessThan(1_000);
  });

  test('series limit: each text of a text series counts as a series', () => {
    const limit = new SeriesLimit({ perCollector: 1, total: 10 });
    expect(limit.admit('load', [reading('system.kernel', '6.1')], 0).refusals).toEqual([]);
    expect(limit.admit('load', [reading('system.kernel', '6.2')], 1).refusals).toHaveLength(1);
  });
});

test('series limit: the end of a series is no new series, and that of a refused one is left out', () => {
  const limit = new SeriesLimit({ perCollector: 1, total: 10 });
  limit.admit('net', series('a', 'b'), 0);
  const ends = series('a', 'b').map((each): Reading => ({ ...each, value: STALE_MARKER }));
  const { readings, refusals } = limit.admit('net', ends, HOUR_MS - 1);
  expect([namesIn(readings), refusals]).toEqual([['a'], []]);
  // It has kept no place either.
  expect(namesIn(limit.admit('net', series('c'), HOUR_MS + 1).readings)).toEqual(['c']);
});

describe('series limit: the total', () => {
  test('series limit: the total counts all collectors, and an expired series of one frees space for another', () => {
    const limit = new SeriesLimit({ perCollector: 2, total: 3 });
    limit.admit('cpu', series(1, 2), 0);
    const { readings, refusals } = limit.admit('net', series(1, 2), 1);
    expect([namesIn(readings), refusals]).toEqual([
      ['1'],
      ['x.y: 3 series are stored already, increase THUGSHELLS_MAX_SERIES to store more'],
    ]);
    limit.admit('net', series(1), HOUR_MS);
    expect(namesIn(limit.admit('net', series(1, 2), HOUR_MS + 1).readings)).toEqual(['1', '2']);
  });
});

test('series limit: a collector’s own limit is named by its variable', () => {
  const limit = new SeriesLimit({
    perCollector: 1,
    total: 10,
    own: new Map([['scrape:node', { variable: 'SCRAPE_MAX_SERIES', maxSeries: 3 }]]),
  });
  expect(limit.admit('scrape:node', series(1, 2, 3, 4), 0).refusals).toEqual([
    'x.y: 3 series of this collector are stored already, increase THUGSHELLS_SCRAPE_MAX_SERIES to store more',
  ]);
  expect(limit.admit('scrape:other', series(1, 2), 0).refusals).toEqual([
    'x.y: 1 series of this collector are stored already, increase THUGSHELLS_COLLECTOR_MAX_SERIES to store more',
  ]);
});

describe('series limit: the notice for the log', () => {
  test('series limit: returns a notice with the variable and the first series, with a collector’s first refusal only', () => {
    const limit = new SeriesLimit({ perCollector: 1, total: 10 });
    const { notice } = limit.admit('net', series('a', 'b', 'c', 'd', 'e'), 0);
    expect(notice).toBe(
      '1 series of this collector are stored already, increase THUGSHELLS_COLLECTOR_MAX_SERIES to store more; left out: x.y{"name":"b"}, x.y{"name":"c"}, x.y{"name":"d"} and 1 more',
    );
    expect(limit.admit('net', series('a', 'f'), 1).notice).toBeUndefined();
    expect(limit.admit('disk', series('a', 'b'), 1).notice).toContain('left out: x.y{"name":"b"}');
  });
});

test('series limit: for any readings, admits no more series in an hour than the limits, and refuses none below them', () => {
  const scrape = fc.record({
    collector: fc.constantFrom('cpu', 'net', 'disk'),
    names: fc.uniqueArray(fc.nat(12), { maxLength: 8 }),
    waitMs: fc.constantFrom(1_000, 600_000, HOUR_MS + 1),
  });
  fc.assert(
    fc.property(
      fc.array(scrape, { maxLength: 30 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 12 }),
      (scrapes, perCollector, total) => {
        const limit = new SeriesLimit({ perCollector, total });
        const stored: { key: string; collector: string; atMs: number }[] = [];
        let nowMs = 0;
        for (const { collector, names, waitMs } of scrapes) {
          nowMs += waitMs;
          const { readings, refusals } = limit.admit(collector, series(...names), nowMs);
          const admitted = namesIn(readings);
          stored.push(...admitted.map((name) => ({ key: `${collector} ${name}`, collector, atMs: nowMs })));
          const lastHour = stored.filter(({ atMs }) => nowMs - atMs <= HOUR_MS);
          const own = new Set(lastHour.filter((one) => one.collector === collector).map(({ key }) => key)).size;
          const all = new Set(lastHour.map(({ key }) => key)).size;
          expect(own).toBeLessThanOrEqual(perCollector);
          expect(all).toBeLessThanOrEqual(total);
          expect(admitted.length + refusals.length).toBe(names.length);
          if (refusals.length > 0) expect(own === perCollector || all === total).toBe(true);
        }
      },
    ),
  );
});
