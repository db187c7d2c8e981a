import { describe, expect, test } from '@jest/globals';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';
import { toExportedName } from '@thugshells/shared/metrics/series.ts';

import { collectOnce, formatReadings } from '../../../support/collector/collect-once.ts';
import { createPageClient, createTarget, createTargetCollector } from '../../../support/collector/made-target.ts';
import { SeriesLimit } from '../../../../collector/src/scheduling/series-limit.ts';
import type { ScrapeTarget } from '../../../../shared/src/config/scrape-target-list.ts';

/** The labels and the series that Prometheus gives to what it scrapes. */

const OWN = /^up$|^scrape\./;

async function collectPage(text: string, options: Partial<ScrapeTarget> = {}): Promise<string[]> {
  const collector = createTargetCollector(createTarget(options), { client: createPageClient(text) });
  return formatReadings((await collectOnce(collector)).readings, OWN);
}

describe('scrape labels', () => {
  test('scrape labels: every series has the job and the instance of its target', async () => {
    expect(await collectPage('a 1\nb{c="d"} 2\n')).toEqual([
      'a{job="node",instance="h:1"} 1',
      'b{c="d",job="node",instance="h:1"} 2',
    ]);
  });

  test('scrape labels: a label of the page that the target has too is kept as exported_', async () => {
    const labels = { exported_job: 'site', job: 'node' };
    expect(await collectPage('a{job="x"} 1\nb{instance="y"} 2\n')).toEqual([
      'a{job="node",instance="h:1",exported_job="x"} 1',
      'b{instance="h:1",job="node",exported_instance="y"} 2',
    ]);
    expect(await collectPage('a{job="x",exported_job="z"} 1\nb{job="x"} 2\n', { labels })).toEqual([
      'a{job="node",exported_job="site",exported_exported_job="x",exported_exported_exported_job="z"} 1',
      'b{job="node",exported_job="site",exported_exported_job="x"} 2',
    ]);
  });

  test('scrape labels: with honor_labels the label of the page is kept, and a missing one is added', async () => {
    expect(await collectPage('a{job="x"} 1\nb{instance="y"} 2\n', { honorLabels: true })).toEqual([
      'a{job="x",instance="h:1"} 1',
      'b{job="node",instance="y"} 2',
    ]);
  });

  test('scrape labels: with honor_labels a label that the page has empty is left out, as a Pushgateway asks for', async () => {
    const page = 'a{instance=""} 1\nb{job="",c="d"} 2\n';
    expect(await collectPage(page, { honorLabels: true })).toEqual(['a{job="node"} 1', 'b{instance="h:1",c="d"} 2']);
    expect(await collectPage(page)).toEqual(['a{job="node",instance="h:1"} 1', 'b{c="d",job="node",instance="h:1"} 2']);
  });
});

describe('scrape figures', () => {
  test('scrape figures: have the names and the labels that Prometheus gives them, whatever the page has', async () => {
    const collector = createTargetCollector(createTarget({ honorLabels: true }), {
      client: createPageClient('a{job="x"} 1\n', 'a{job="x"} 1\nb 1\n'),
    });
    const collect = async (): Promise<Record<string, unknown>> => {
      const { readings } = await collectOnce(collector);
      const own = readings.filter(({ series }) => OWN.test(series.name));
      for (const { labels } of own) expect(labels).toEqual({ job: 'node', instance: 'h:1' });
      return Object.fromEntries(own.map(({ series, value }) => [toExportedName(series.name), value]));
    };
    expect(await collect()).toEqual({
      up: 1,
      scrape_duration_seconds: expect.any(Number),
      scrape_samples_scraped: 1,
      scrape_samples_post_metric_relabeling: 1,
      scrape_series_added: 1,
    });
    expect(await collect()).toMatchObject({ scrape_samples_scraped: 2, scrape_series_added: 1 });
    expect(await collect()).toMatchObject({ up: 1, scrape_samples_scraped: 0, scrape_series_added: 0 });
  });

  test('scrape figures: an empty page ends every series, and the next one adds those only that the last one with samples lacked', async () => {
    const pages = ['a 1\nb 1\n', '', 'a 1\nb 1\nc 1\n', '# nothing\n', 'a 1\n'];
    const collector = createTargetCollector(createTarget(), { client: createPageClient(...pages) });
    const figures: unknown[] = [];
    for (const _ of pages) {
      const { readings } = await collectOnce(collector);
      const find = (name: string): unknown =>
        readings.find(({ series }) => toExportedName(series.name) === name)?.value;
      figures.push([
        find('up'),
        find('scrape_series_added'),
        readings.filter(({ value }) => value === STALE_MARKER).length,
      ]);
    }
    expect(figures).toEqual([
      [1, 2, 0],
      [1, 0, 2],
      [1, 1, 0],
      [1, 0, 3],
      [1, 1, 0],
    ]);
  });

  test('scrape figures: metrics that are dropped by name count as scraped, and take no place of others', async () => {
    const keepsName = (name: string): boolean => name !== 'noise';
    const page = `${Array.from({ length: 20 }, (_, index) => `noise{of="${index}"} 1\n`).join('')}a 1\nb 2\nc 3\n`;
    const collector = createTargetCollector(createTarget({ labels: {}, keepsName }), {
      client: createPageClient(page, page),
      maxReadings: 2,
    });
    const { readings, failure } = await collectOnce(collector);
    expect(formatReadings(readings, /duration|^up$/)).toEqual([
      'scrape.samples_scraped 23',
      'scrape.samples_post_metric_relabeling 3',
      'scrape.series_added 2',
      'a 1',
      'b 2',
    ]);
    expect(failure).toContain('1 samples over the limit');
    const limited = createTargetCollector(createTarget({ labels: {}, keepsName, sampleLimit: 2 }), {
      client: createPageClient(page),
    });
    const refused = await collectOnce(limited);
    expect(refused.failure).toBe('cannot scrape node: 3 samples, sample_limit is 2');
    expect(formatReadings(refused.readings, /duration/)).toEqual([
      'up 0',
      'scrape.samples_scraped 23',
      'scrape.samples_post_metric_relabeling 3',
      'scrape.series_added 0',
    ]);
  });
});

test('scrape target: of 100,000 series 3,000 are stored, and health names the variables that allow more', async () => {
  const page = Array.from({ length: 100_000 }, (_, index) => `a{of="${index}"} ${index}\n`).join('');
  const collector = createTargetCollector(createTarget(), {
    client: createPageClient(page, page),
    limits: { timeoutMs: 60_000, maxBytes: 4_000_000 },
    maxReadings: 6_000,
  });
  const limit = new SeriesLimit({
    perCollector: 1,
    total: 5_000,
    own: new Map([['scrape:node', { variable: 'SCRAPE_MAX_SERIES', maxSeries: 3_000 }]]),
  });
  for (const added of [6_000, 0]) {
    const { readings, failure } = await collectOnce(collector);
    expect(failure).toBe(
      'scrape target node: 94000 samples over the limit; increase THUGSHELLS_SCRAPE_MAX_SERIES and THUGSHELLS_MAX_SERIES',
    );
    expect(formatReadings(readings, /^a$|duration/).at(-1)).toMatch(new RegExp(`series_added.* ${added}$`));
    const { readings: stored, refusals } = limit.admit('scrape:node', readings, 0);
    expect([stored.filter(({ series }) => !series.name.startsWith('collector.')).length, refusals.length]).toEqual([
      3_000, 3_005,
    ]);
    expect(refusals[0]).toContain('increase THUGSHELLS_SCRAPE_MAX_SERIES to store more');
  }
});
