import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { RunningUploads } from '../../../support/uploader/running-uploads.ts';

const MINUTE_MS = 60_000;
const SCRAPE_MS = 10_000;

let uploads: RunningUploads;
const seriesIds = new Map<string, number>();
beforeEach(() => seriesIds.clear());
afterEach(() => uploads.end());

/** Stores a sample of each series. */
function store(names: readonly string[], timestampMs: number): void {
  const { stored } = uploads;
  for (const name of names) {
    if (!seriesIds.has(name)) seriesIds.set(name, stored.series(name));
    stored.add(seriesIds.get(name)!, timestampMs, 1);
  }
}

/** Lets a scrape of these series be stored each 10 s until the clock has moved on for so long. */
async function scrape(names: readonly string[], forMs: number): Promise<void> {
  const { clock } = uploads;
  const endsAt = clock.now() + forMs;
  for (let dueAt = clock.now(); dueAt < endsAt;) {
    for (; dueAt <= clock.now(); dueAt += SCRAPE_MS) store(names, dueAt);
    await uploads.pass();
  }
}

/** Returns the largest number of requests within ten seconds, after the first ones. */
function countTogether(skipped: number): number {
  const times = uploads.posts.slice(skipped).map(({ atMs }) => atMs);
  return Math.max(...times.map((from) => times.filter((atMs) => atMs >= from && atMs < from + 10_000).length));
}

/** Lists the last requests: their samples and the status of the response. */
function listLast(count: number): (readonly [samples: number, status: number | null])[] {
  return uploads.posts.slice(-count).map(({ samples, status }) => [samples, status] as const);
}

/** Lists so many names of series, of which some are bad. */
function listNames(count: number, isBad: (index: number) => boolean): string[] {
  return Array.from({ length: count }, (_, index) => `${isBad(index) ? 'bad' : 'sound'}${index}`);
}

describe('uploads to a receiver that rejects everything from some moment on:', () => {
  test.each<[string, number, readonly number[]]>([
    ['400', 400, []],
    ['413', 413, []],
    ['400, and series of each scrape before,', 400, [1, 3]],
  ])(
    'after %s two requests come in ten seconds, then ever fewer, and no sample is given up',
    async (_, status, bad) => {
      uploads = await RunningUploads.prepare({ uploadIntervalMs: 1_000, retryInitialMs: 100 });
      const names = listNames(5, (index) => bad.includes(index));
      if (bad.length > 0) uploads.receiver.setFaults({ status: 400, when: { contains: 'bad' } });
      await scrape(names, 5 * MINUTE_MS);
      const { collected, pending, rejected } = uploads.books;
      const before = uploads.posts.length;
      expect([pending, rejected]).toEqual([0, (collected * bad.length) / names.length]);
      uploads.receiver.setFaults({ status });
      await scrape(names, 10 * MINUTE_MS);
      const times = uploads.posts.slice(before).map(({ atMs }) => atMs - uploads.posts[before]!.atMs);
      expect(times.slice(0, 6)).toEqual([0, 0, 15_000, 60_000, 120_000, 180_000]);
      expect(uploads.books).toMatchObject({ rejected, pending: uploads.books.collected - collected });
      expect(countTogether(before)).toBe(2);
      uploads.receiver.clearFaults();
      await scrape(names, 2 * MINUTE_MS);
      expect(uploads.books).toMatchObject({ rejected, pending: 0 });
    },
    30_000,
  );
});

describe('uploads to a receiver that always rejects some series:', () => {
  test.each([
    ['one of five series', listNames(5, (index) => index === 0), 5_000],
    ['two of five series', listNames(5, (index) => index === 1 || index === 3), 20_000],
    ['three of five series', listNames(5, (index) => index !== 0 && index !== 4), 20_000],
    ['all but one of five series', listNames(5, (index) => index !== 2), 185_000],
    ['each tenth of 70 series', listNames(70, (index) => index % 10 === 0), 5_000],
    ['the first sixty of 100 series', listNames(100, (index) => index < 60), 5_000],
  ])(
    'accepts the others of %s in time',
    async (_, names, firstMs) => {
      uploads = await RunningUploads.prepare({ uploadIntervalMs: 10_000 });
      uploads.receiver.setFaults({ status: 400, when: { contains: 'bad' } });
      const startedAt = uploads.clock.now();
      await scrape(names, 6 * MINUTE_MS);
      expect(uploads.posts.find(({ status }) => status! < 300)!.atMs - startedAt).toBeLessThanOrEqual(firstMs);
      const scrapes = uploads.books.collected / names.length;
      const bad = names.filter((name) => name.startsWith('bad')).length;
      expect(uploads.books).toMatchObject({
        delivered: scrapes * (names.length - bad),
        rejected: scrapes * bad,
        pending: 0,
      });
      expect(uploads.receiver.duplicates()).toBe(0);
      // Once they are known, nothing waits for the backoff: each cycle ends with all that was stored before it.
      const atMs = uploads.posts.map((post) => post.atMs).filter((each) => each > startedAt + 4 * MINUTE_MS);
      expect(new Set(atMs).size).toBeGreaterThanOrEqual(11);
    },
    60_000,
  );

  test('goes on with a backlog of several batches', async () => {
    uploads = await RunningUploads.prepare({ uploadIntervalMs: 10_000, batchMetrics: 200 });
    uploads.receiver.setFaults({ status: 400, when: { contains: 'bad' } });
    const names = listNames(60, (index) => index < 20);
    for (let past = 60; past > 0; past--) store(names, uploads.clock.now() - past * SCRAPE_MS);
    await scrape(names, 3 * MINUTE_MS);
    const { collected } = uploads.books;
    expect(uploads.books).toMatchObject({ delivered: (collected * 2) / 3, rejected: collected / 3, pending: 0 });
  }, 60_000);

  test('needs four requests for each scrape once it knows the series, also when another one is rejected instead', async () => {
    uploads = await RunningUploads.prepare({ uploadIntervalMs: 10_000 });
    const names = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth'];
    for (const rejected of ['second', 'eighth']) {
      uploads.receiver.setFaults({ status: 400, when: { contains: rejected } });
      await scrape(names, 2 * MINUTE_MS);
      // All of it, a sample to see whether others are accepted, the other series, and the one that is rejected.
      expect(listLast(4)).toEqual([
        [8, 400],
        [1, 204],
        [6, 204],
        [1, 400],
      ]);
      expect(new Set(uploads.posts.slice(-4).map(({ atMs }) => atMs)).size).toBe(1);
      expect(uploads.posts.at(-5)!.atMs).toBeLessThan(uploads.posts.at(-4)!.atMs);
    }
  }, 30_000);
});
