import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { INTERVAL_SECONDS, JOBS, SCRAPES_AFTER, SCRIPTED_JOBS, compareScrapes } from '../support/scrape-comparison.ts';
import type { ScrapeComparison, ScriptedJob } from '../support/scrape-comparison.ts';
import { queryRange as queryPrometheus } from '../support/promql.ts';
import { readRawSeries, type RawSeries } from '../support/remote-read.ts';
import { SCRAPERS, type Scraper } from '../support/scripted-exporter.ts';

/**
 * Five minutes of the same exporters through the agent and through Prometheus in agent mode, and what the one Prometheus that both
 * send to makes of it. COMPARISON_SECONDS is another duration.
 */

const SECONDS = Number(process.env['COMPARISON_SECONDS'] ?? 300);
const INTERVAL_MS = INTERVAL_SECONDS * 1000;
/** Of the start, the stop and the return of the exporters. */
const MARGIN_MS = 600_000;
const STALE = '7ff0000000000002';
/** How long a scrape takes differs; whether it is reported does not. */
const DURATION = 'scrape_duration_seconds';
/** What an exporter reports of itself: the agent has a connection for each scrape. */
const OF_THE_SCRAPES = /^(process|go|promhttp|scrape)_/;
/** A series of the kernel that is there for less may be seen by one of them only. */
const LASTING_SCRAPES = 3;

let run: ScrapeComparison;
let stop = (): Promise<void> => Promise.resolve();
beforeAll(
  async () => {
    run = await compareScrapes(SECONDS);
    stop = run.stop;
  },
  SECONDS * 1000 + MARGIN_MS,
);
afterAll(() => stop());

const toKey = (labels: Readonly<Record<string, string>>): string => JSON.stringify(Object.entries(labels).sort());

const toNumber = (bits: string): number => Buffer.from(bits, 'hex').readDoubleBE();
const isUp = ({ bits }: { readonly bits: string }): boolean => toNumber(bits) === 1;

/** Returns the job that has scraped a series; only one honors a page's own `job`. */
function findJob({ labels }: Pick<RawSeries, 'labels'>): (typeof JOBS)[number] {
  return JOBS.find((job) => job === labels['job']) ?? 'honored';
}

function listSeries(scraper: Scraper, job: (typeof JOBS)[number]): RawSeries[] {
  return run.series[scraper].filter((series) => findJob(series) === job);
}

/** The samples of `up`, from the first page on: one for each scrape. */
function listScrapes(scraper: Scraper, job: (typeof JOBS)[number]): RawSeries['samples'] {
  const up = listSeries(scraper, job).find(({ labels }) => labels['__name__'] === 'up' && labels['job'] === job)!;
  return up.samples.slice(up.samples.findIndex(isUp));
}

/** Returns each series as the scrapes that have a sample of it, with its bits. */
function toScrapes(scraper: Scraper, job: ScriptedJob, [from, to]: readonly [number, number]): Map<string, string[]> {
  const times = listScrapes(scraper, job).map(({ timestampMs }) => timestampMs);
  return new Map(
    listSeries(scraper, job).flatMap(({ labels, samples }): [string, string[]][] => {
      const isDuration = labels['__name__'] === DURATION;
      const counted = samples.filter(({ timestampMs }) => timestampMs >= times[0]!);
      const places = counted.map(({ timestampMs, bits }) => ({ place: times.indexOf(timestampMs), bits }));
      const seen = places.filter(({ place }) => place < 0 || (place >= from && place < to));
      const texts = seen.map(({ place, bits }) => `${place - from}: ${isDuration && bits !== STALE ? 'any' : bits}`);
      return texts.length === 0 ? [] : [[toKey(labels), texts]];
    }),
  );
}

/** Returns what differs, a line each, so that a failure is readable. */
function findDifferences(ours: ReadonlyMap<string, string[]>, theirs: ReadonlyMap<string, string[]>): string[] {
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  return keys.flatMap((key) => {
    const [own, other] = [ours.get(key)?.join(' ') ?? 'none', theirs.get(key)?.join(' ') ?? 'none'];
    return own === other ? [] : [`${key}: ${own}, of Prometheus: ${other}`];
  });
}

/** Returns each series of a range query as its points by their numbers, whichever scraper it is of. */
async function queryRange(
  query: string,
  { fromMs, toMs, stepMs }: Readonly<Record<'fromMs' | 'toMs' | 'stepMs', number>>,
): Promise<Map<string, string[]>> {
  const found = await queryPrometheus(run.receiver.url, query, [fromMs / 1000, toMs / 1000], stepMs / 1000);
  return new Map(
    found.map(({ metric: { device_id: _, ...labels }, values }) => {
      const isDuration = labels['__name__'] === DURATION;
      // Prometheus sends −0 as 0.
      const toValue = (value: string): string => (isDuration ? 'any' : value.replace(/^-0$/, '0'));
      const toPlace = (seconds: number): number => Math.round((seconds * 1000 - fromMs) / stepMs);
      return [toKey(labels), values.map(([at, value]) => `${toPlace(at)}: ${toValue(value)}`)];
    }),
  );
}

describe.each(SCRIPTED_JOBS)('the same exporter through the agent and through Prometheus: job %s', (job) => {
  test('has the same series, labels, values and stale points in the storage, bit for bit', () => {
    // One more: the first scrape that is refused.
    const range = [0, run.scrapes + 1] as const;
    const theirs = toScrapes('prometheus', job, range);
    expect(theirs.size).toBeGreaterThan(run.scrapes);
    expect(findDifferences(toScrapes('agent', job, range), theirs)).toEqual([]);
  });

  test('has the same series and values after the exporter returned', () => {
    const [ours, theirs] = SCRAPERS.map((scraper) => {
      const scrapes = listScrapes(scraper, job);
      const first = scrapes.findIndex((scrape, index) => index >= run.scrapes && isUp(scrape));
      return toScrapes(scraper, job, [first, first + SCRAPES_AFTER]);
    });
    expect(findDifferences(ours!, theirs!)).toEqual([]);
  });

  test('is the same by query_range between each two scrapes', async () => {
    const [ours, theirs] = await Promise.all(
      SCRAPERS.map(async (scraper) => {
        const scrapes = listScrapes(scraper, job);
        const fromMs = scrapes[0]!.timestampMs + INTERVAL_MS / 2;
        const toMs = fromMs + run.scrapes * INTERVAL_MS;
        const device = `device_id="${scraper}"`;
        const query = `{job="${job}",__name__!~"ALERTS.*",${device}} or {__name__=~"${job}.+",${device}}`;
        return queryRange(query, { fromMs, toMs, stepMs: INTERVAL_MS });
      }),
    );
    expect(theirs!.size).toBeGreaterThan(run.scrapes);
    expect(findDifferences(ours!, theirs!)).toEqual([]);
  });
});

describe('node_exporter through the agent and through Prometheus', () => {
  /** The values before the stop, by series. */
  function readValues(scraper: Scraper): Map<string, { timestampMs: number; value: number }[]> {
    const lasting = listSeries(scraper, 'node').map(({ labels, samples }) => {
      const values = samples.filter(({ timestampMs, bits }) => timestampMs < run.stoppedAtMs && bits !== STALE);
      const numbers = values.map(({ timestampMs, bits }) => ({ timestampMs, value: toNumber(bits) }));
      return [toKey(labels), numbers] as const;
    });
    return new Map(lasting.filter(([, values]) => values.length >= LASTING_SCRAPES));
  }

  test('has the same series and labels', () => {
    const [ours, theirs] = [readValues('agent'), readValues('prometheus')];
    expect(theirs.size).toBeGreaterThan(300);
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
  });

  test('has counters that grow from sample to sample of both, and constants that are the same', () => {
    const counters = new Set([...run.nodePage.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name));
    const [ours, theirs] = [readValues('agent'), readValues('prometheus')];
    const differing = [...theirs].flatMap(([key, values]) => {
      const name = (JSON.parse(key) as [string, string][]).find(([label]) => label === '__name__')![1];
      const own = ours.get(key)!;
      const isGood = counters.has(name) ? growTogether(own, values) : areAlike(own, values);
      return OF_THE_SCRAPES.test(name) || isGood ? [] : [{ key, own, values }];
    });
    expect(differing).toEqual([]);
  });

  test('ends every series with one stale marker at the time of the first scrape that is refused', () => {
    const [ours, theirs] = SCRAPERS.map((scraper) => {
      const scrapes = listScrapes(scraper, 'node');
      const refusedAtMs = scrapes.find((scrape) => !isUp(scrape))!.timestampMs;
      const lastAtMs = scrapes.findLast((scrape) => isUp(scrape) && scrape.timestampMs < refusedAtMs)!.timestampMs;
      const live = listSeries(scraper, 'node').filter(({ samples }) =>
        samples.some(({ timestampMs, bits }) => timestampMs === lastAtMs && bits !== STALE),
      );
      return live.map(({ labels, samples }) => {
        const ends = samples.filter(({ bits, timestampMs }) => bits === STALE && timestampMs > lastAtMs);
        return `${toKey(labels)}: ${ends.map(({ timestampMs }) => timestampMs - refusedAtMs).join(' ')}`;
      });
    });
    expect(theirs!.filter((end) => end.endsWith(': 0')).length).toBeGreaterThan(300);
    expect(ours!.sort()).toEqual(theirs!.sort());
  });

  test('is gone by query_range within an interval of the stop, and there again within one of the return', async () => {
    const range = { fromMs: run.stoppedAtMs - 4 * INTERVAL_MS, toMs: run.endedAtMs, stepMs: 1_000 };
    for (const scraper of SCRAPERS) {
      const found = await queryRange(`count({job="node",__name__!~"ALERTS.*",device_id="${scraper}"})`, range);
      const counts = [...found.values()].flat().map((text) => text.split(': ').map(Number));
      // What is reported of a failed scrape.
      const isGone = counts.map(([, count]) => count === 5);
      expect(isGone).toContain(true);
      const [stopped, returned] = [run.stoppedAtMs, run.returnedAtMs].map((at) => (at - range.fromMs) / 1000);
      const firstGone = counts[isGone.indexOf(true)]![0]!;
      const lastGone = counts[isGone.lastIndexOf(true)]![0]!;
      expect(firstGone - stopped!).toBeLessThanOrEqual(INTERVAL_SECONDS + 1);
      expect(lastGone - returned!).toBeLessThanOrEqual(INTERVAL_SECONDS + 1);
      expect(isGone.slice(isGone.indexOf(true), isGone.lastIndexOf(true) + 1)).not.toContain(false);
    }
  });
});

/** Whether the samples of both, in the order of their times, grow, but for a tenth of their range: two scrapes may coincide. */
function growTogether(ours: readonly TimedValue[], theirs: readonly TimedValue[]): boolean {
  const merged = [...ours, ...theirs].sort((a, b) => a.timestampMs - b.timestampMs).map(({ value }) => value);
  const slack = (Math.max(...merged) - Math.min(...merged)) / 10;
  return merged.every((value, index) => index === 0 || value >= merged[index - 1]! - slack);
}

/** Whether the medians are no further apart than twice the range of the values of Prometheus: the same, if those are constant. */
function areAlike(ours: readonly TimedValue[], theirs: readonly TimedValue[]): boolean {
  const toMedian = (values: readonly TimedValue[]): number =>
    values.map(({ value }) => value).sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const all = theirs.map(({ value }) => value);
  const apart = Math.abs(toMedian(ours) - toMedian(theirs));
  return Object.is(toMedian(ours), toMedian(theirs)) || apart <= 2 * (Math.max(...all) - Math.min(...all));
}

interface TimedValue {
  readonly timestampMs: number;
  readonly value: number;
}

describe('alerts of what comes through the agent and through Prometheus', () => {
  /** When an alert fired, in evaluations from the start. */
  interface Firing {
    readonly first: number;
    readonly last: number;
  }

  /** Returns when alerts fired, by alert and job. */
  async function readFirings(scraper: Scraper): Promise<Map<string, Firing[]>> {
    const labels = { __name__: 'ALERTS', alertstate: 'firing', device_id: scraper };
    const found = await readRawSeries(run.receiver.url, labels, { fromMs: run.startedAtMs, toMs: run.endedAtMs });
    return new Map(
      found.map(({ labels: { alertname = '', job = '' }, samples }) => {
        const firings: Firing[] = [];
        let isFiring = false;
        for (const { timestampMs, bits } of samples) {
          const at = Math.round((timestampMs - run.startedAtMs) / INTERVAL_MS);
          if (bits !== STALE && isFiring) firings.push({ ...firings.pop()!, last: at });
          if (bits !== STALE && !isFiring) firings.push({ first: at, last: at });
          isFiring = bits !== STALE;
        }
        return [`${alertname} ${job}`.trim(), firings];
      }),
    );
  }

  test('fire and resolve within two evaluations of each other, those of the stop after it', async () => {
    const [ours, theirs] = [await readFirings('agent'), await readFirings('prometheus')];
    const expected = ['Absent', 'Fast honored', 'NoRate', ...JOBS.map((job) => `Down ${job}`)].sort();
    expect([...theirs.keys()].sort()).toEqual(expected);
    expect([...ours.keys()].sort()).toEqual(expected);
    const stoppedAt = (run.stoppedAtMs - run.startedAtMs) / INTERVAL_MS;
    for (const [alert, firings] of theirs) {
      const own = ours.get(alert)!;
      expect([alert, own.length]).toEqual([alert, firings.length]);
      const apart = firings.flatMap(({ first, last }, index) => [own[index]!.first - first, own[index]!.last - last]);
      expect([alert, apart.filter((evaluations) => Math.abs(evaluations) > 2)]).toEqual([alert, []]);
      if (alert === 'Fast honored') expect(firings.length).toBeGreaterThanOrEqual(Math.floor(run.scrapes / 20));
      else expect([alert, firings.map(({ first }) => first > stoppedAt)]).toEqual([alert, [true]]);
    }
  });
});
