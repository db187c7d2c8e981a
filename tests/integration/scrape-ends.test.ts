import { afterEach, expect, test } from '@jest/globals';

import type { Prometheus } from '../support/prometheus.ts';
import { readRaw } from '../support/remote-read.ts';
import { ScrapesIntoPrometheus } from '../support/scrapes-into-prometheus.ts';
import { until } from '../support/until.ts';

/** One exporter through the agent and through the real Prometheus in agent mode, each into a real Prometheus. */

const STALE = '7ff0000000000002';
const scrapes = new ScrapesIntoPrometheus();
afterEach(() => scrapes.stop());

async function readSeries({ url }: Prometheus): Promise<string[]> {
  const response = await fetch(`${url}/api/v1/series?match[]={__name__=~".%2B"}`, { headers: { connection: 'close' } });
  const { data } = (await response.json()) as { data: Record<string, string>[] };
  return data.map((labels) => JSON.stringify(Object.entries(labels).sort())).sort();
}

/** Returns the values of a metric, each run of equal ones once, as numbers; the end of a series as `stale`. */
async function readRuns({ url }: Prometheus, metric: string): Promise<(number | string)[]> {
  const samples = await readRaw(url, metric, Date.now() - 3_600_000, Date.now() + 60_000);
  const values = samples.map(({ bits }) => (bits === STALE ? 'stale' : Buffer.from(bits, 'hex').readDoubleBE()));
  return values.filter((value, index) => value !== values[index - 1]);
}

test('scrape ends: series, labels, values and stale markers are those of Prometheus, and an orderly stop ends every series', async () => {
  const collector = await scrapes.start();
  const { exporter, ours, theirs } = scrapes;

  const common = 'kept 1\nfrom{job="x",instance="y"} 2\n';
  const histogram = 'h_bucket{le="1"} 5\nh_bucket{le="+Inf"} 3\nh_count 4\nh_sum 1\n';
  await exporter.serve(`# TYPE kept gauge\n${common}gone 3\n${histogram}`);
  await exporter.serve(`# TYPE kept counter\n${common}kept 1\n`);
  await exporter.serve(undefined);
  await exporter.serve(common);

  const expected = {
    kept: [1, 'stale', 1],
    from: [2, 'stale', 2],
    gone: [3, 'stale'],
    h_count: [4, 'stale'],
    up: [1, 0, 1],
  };
  for (const [metric, runs] of Object.entries(expected)) {
    for (const prometheus of [theirs, ours])
      await until(
        `${metric} has arrived`,
        async () => (await readRuns(prometheus, metric)).length === runs.length,
        30_000,
      );
    expect([metric, await readRuns(theirs, metric)]).toEqual([metric, runs]);
    expect([metric, await readRuns(ours, metric)]).toEqual([metric, runs]);
  }
  expect(await readSeries(ours)).toEqual(await readSeries(theirs));

  await collector.stop();
  for (const metric of ['kept', 'from', 'up', 'scrape_samples_scraped'])
    await until(`${metric} has ended`, async () => (await readRuns(ours, metric)).at(-1) === 'stale', 30_000);
  expect((await readRuns(ours, 'gone')).at(-1)).toBe('stale');
}, 240_000);
