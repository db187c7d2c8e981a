import { describe, expect, test } from '@jest/globals';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';

import { collectOnce, formatReadings, type CollectResult } from '../../../support/collector/collect-once.ts';
import { createPageClient, createTarget, createTargetCollector } from '../../../support/collector/made-target.ts';

/** The stale markers of series that are gone from a target. */

const target = createTarget({ labels: { job: 'node' } });
const FAILURE = 'not a metric\n';
const ended = ({ readings }: Pick<CollectResult, 'readings'>): string[] =>
  formatReadings(readings.filter(({ value }) => value === STALE_MARKER));

/** The series that end with each scrape of these pages. */
async function collectEnds(...pages: string[]): Promise<string[][]> {
  const collector = createTargetCollector(target, { client: createPageClient(...pages) });
  const all: string[][] = [];
  for (const _ of pages) all.push(ended(await collectOnce(collector)).map((text) => text.replace(/ StaleNaN$/, '')));
  return all;
}

describe('scrape ends', () => {
  test('scrape ends: a series that a page does not have any more ends once, and may come back', async () => {
    expect(await collectEnds('a 1\nb{c="d"} 2\n', 'a 1\n', 'a 1\n', 'a 1\nb{c="d"} 2\n', 'b{c="d"} 2\n')).toEqual([
      [],
      ['b{c="d",job="node"}'],
      [],
      [],
      ['a{job="node"}'],
    ]);
  });

  test('scrape ends: all series of a target that fails end once, and what the scrape reports does not', async () => {
    expect(await collectEnds('a 1\nb 2\n', FAILURE, FAILURE, 'a 1\n', FAILURE)).toEqual([
      [],
      ['a{job="node"}', 'b{job="node"}'],
      [],
      [],
      ['a{job="node"}'],
    ]);
  });

  test('scrape ends: a series whose metric has another type goes on', async () => {
    expect(await collectEnds('# TYPE a gauge\na 1\n', '# TYPE a counter\na 2\n')).toEqual([[], []]);
  });

  test('scrape ends: what a page repeats, or writes in another order, goes on', async () => {
    expect(await collectEnds('a{b="1",c="2"} 1\n', 'a{c="2",b="1"} 1\na{b="1",c="2"} 2\n')).toEqual([[], []]);
  });

  test('scrape ends: when scraping ends, all series of the target end, up included', async () => {
    const collector = createTargetCollector(target, { client: createPageClient('a 1\n', FAILURE) });
    expect(collector.end()).toEqual([]);
    await collectOnce(collector);
    const own = ['up', 'scrape.duration_seconds', 'scrape.samples_scraped', 'scrape.samples_post_metric_relabeling'];
    const names = [...own, 'scrape.series_added'];
    const readings = collector.end();
    expect(readings.map(({ series }) => series.name)).toEqual([...names, 'a']);
    expect(new Set(readings.map(({ value }) => value))).toEqual(new Set([STALE_MARKER]));
    await collectOnce(collector);
    expect(collector.end().map(({ series }) => series.name)).toEqual(names);
  });
});
