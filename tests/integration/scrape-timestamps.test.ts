import { afterEach, expect, test } from '@jest/globals';

import type { Prometheus } from '../support/prometheus.ts';
import { readRaw } from '../support/remote-read.ts';
import { ScrapesIntoPrometheus } from '../support/scrapes-into-prometheus.ts';
import { until } from '../support/until.ts';

/** An exporter with timestamps through the agent and through the real Prometheus in agent mode, each into a real Prometheus. */

const STALE = '7ff0000000000002';
/** What a step of the clock may be without an epoch of its own, and the rounding of two clocks. */
const TOLERANCE_MS = 600;
const scrapes = new ScrapesIntoPrometheus();
afterEach(() => scrapes.stop());

/** Returns a page of one sample with a timestamp, and one without. */
function createPage(value: number, timestampMs: number): string {
  return `stamped ${value} ${timestampMs}\nplain 1\n`;
}

/** Returns the values of a metric with their times, and `stale` for the end of a series. */
async function readSamples({ url }: Prometheus, metric: string): Promise<(readonly [number | 'stale', number])[]> {
  const samples = await readRaw(url, metric, Date.now() - 3_600_000, Date.now() + 60_000);
  return samples.map(({ bits, timestampMs }) => [
    bits === STALE ? 'stale' : Buffer.from(bits, 'hex').readDoubleBE(),
    timestampMs,
  ]);
}

test('scrape timestamps: samples, their times and the ends of their series are those of Prometheus', async () => {
  await scrapes.start();
  const { exporter, ours, theirs } = scrapes;

  await exporter.serve('plain 1\n');
  const stamps: number[] = [];
  // Prometheus sends only what is later than its start.
  for (let value = 0; value < 3; value++) {
    const timestampMs = Date.now();
    stamps.push(timestampMs);
    await exporter.serve(createPage(value, timestampMs));
    // Neither has a time after the last one.
    await exporter.serve(createPage(7, timestampMs));
    await exporter.serve(createPage(8, timestampMs - 1_000));
  }
  await exporter.serve('plain 1\n');
  await exporter.serve(createPage(3, Date.now()));

  for (const prometheus of [theirs, ours]) {
    await until('the last one has arrived', async () => (await readSamples(prometheus, 'stamped')).at(-1)?.[0] === 3);
    const found = await readSamples(prometheus, 'stamped');
    // Also without an end where the series was gone.
    expect(found.map(([value]) => value)).toEqual([0, 1, 2, 3]);
    for (const [value, timestampMs] of found.slice(0, 3))
      expect(Math.abs(timestampMs - stamps[value as number]!)).toBeLessThan(TOLERANCE_MS);
  }
}, 240_000);
