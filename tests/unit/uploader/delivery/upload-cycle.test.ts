import { afterEach, describe, expect, test } from '@jest/globals';

import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';
import { START_MS } from '../../../support/uploader/stored-samples.ts';

let uploads: RunningUploads;
afterEach(() => uploads.end());

/** Uploads over rows of one series, a second apart, of which the newest is of now. */
async function withBacklog(count: number, settings: UploadSettings = {}): Promise<void> {
  uploads = await RunningUploads.prepare(settings);
  uploads.stored.rows(count);
  uploads.clock.step(count * 1_000);
}

/** Ids of the oldest and newest row of each post, by their times. */
function posts(): [oldest: number, newest: number][] {
  return uploads.posts.map(
    ({ oldestMs, newestMs }) =>
      [oldestMs! - START_MS, newestMs! - START_MS].map((ms) => ms / 1_000 + 1) as [number, number],
  );
}

describe('upload cycle with a backlog:', () => {
  test('doubles the chunks while each is accepted whole, and every row arrives once', async () => {
    await withBacklog(20_000);
    await uploads.pass();
    const sizes = uploads.posts.map(({ samples }) => samples);
    // The first size comes twice: the second chunk is ready before the answer to the first one comes.
    expect(sizes.slice(1, 8)).toEqual([50, 100, 200, 400, 800, 1_600, 3_200]);
    expect(Math.max(...sizes)).toBeGreaterThan(3_000);
    expect([uploads.books.pending, uploads.books.delivered, uploads.receiver.duplicates()]).toEqual([0, 20_000, 0]);
    expect(uploads.visible).toHaveLength(20_000);
  });

  test('sends 2,500 pending rows, which are not a backlog, as 50 chunks of 50', async () => {
    await withBacklog(2_500);
    await uploads.pass();
    expect(uploads.posts.map(({ samples }) => samples)).toEqual(new Array(50).fill(50));
  });

  test('halves the next chunk when a part of one is accepted', async () => {
    await withBacklog(20_000, { retryAttempts: 1 });
    uploads.receiver.setFaults({ accepted: 10, when: { samplesOver: 399 }, count: 1 });
    await uploads.pass();
    const sizes = uploads.posts.map(({ samples }) => samples);
    const first = sizes.indexOf(400);
    // One was ready before the answer came.
    expect(sizes.slice(first, first + 4)).toEqual([400, 800, 200, 400]);
    await uploads.pass();
    expect([uploads.books.pending, uploads.visible.length]).toEqual([0, 20_000]);
  });

  test('adapts to a receiver that accepts only small bodies, and delivers everything', async () => {
    await withBacklog(10_000);
    uploads.receiver.setFaults({ status: 413, when: { samplesOver: 500 } });
    for (let cycle = 0; cycle < 5 && uploads.books.pending > 0; cycle++) await uploads.pass();
    expect([uploads.books.pending, uploads.books.rejected, uploads.visible.length]).toEqual([0, 0, 10_000]);
    const tooLarge = uploads.posts.filter(({ status }) => status === 413).length;
    expect(tooLarge).toBeLessThan(10);
  });

  test('sends the oldest rows after a cycle in which the newest were all rejected', async () => {
    await withBacklog(5_000);
    uploads.receiver.setFaults({ status: 400, when: { contains: 'new_series' } });
    uploads.clock.step(100_000);
    uploads.stored.rows(100, 'new.series');
    await uploads.pass();
    expect(uploads.books.delivered).toBe(0);
    uploads.stored.rows(100, 'new.series');
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 5_000, pending: 0, rejected: 200 });
  });

  test('sends the rows of the last interval first after a restart, then the oldest', async () => {
    await withBacklog(5_000);
    await uploads.pass();
    const [first, second] = posts();
    expect(first![0]).toBeGreaterThan(4_960);
    expect(first![1]).toBe(5_000);
    expect(second![0]).toBe(1);
  });

  test('sends rows that are stored during a drain before the rest of it, as soon as the interval is over', async () => {
    const seconds = 12;
    let sent = 0;
    const onAttempt = (): void => {
      sent += 1;
      if (sent === 2) uploads.stored.rows(40);
      void uploads.clock.advance(seconds * 1_000);
    };
    await withBacklog(9_000, { onAttempt });
    uploads.start();
    await uploads.waits();
    const isNew = posts().map(([oldest]) => oldest > 9_000);
    // The fourth post begins a new cycle: 36 s of an interval of 30 s have passed.
    expect(isNew.indexOf(true)).toBe(3);
    expect(uploads.books.pending).toBe(0);
  });

  test('sends what was not accepted again in the next cycle, not in the same one', async () => {
    await withBacklog(4_000);
    uploads.receiver.setFaults({ accepted: 1, when: { contains: `${START_MS}` } });
    await uploads.pass();
    expect(posts().filter(([oldest]) => oldest === 1)).toHaveLength(1);
    expect(uploads.books.pending).toBe(49);
  });
});

describe('upload rate limit:', () => {
  test('delays the backlog, never the newest rows', async () => {
    await withBacklog(6_000, { uploadMaxRate: 100 });
    await uploads.pass();
    const [newest, oldest] = uploads.posts;
    expect(posts()[0]![1]).toBe(6_000);
    expect([newest!.atMs, oldest!.atMs].map((atMs) => atMs - newest!.atMs)).toEqual([0, 0]);
    // What the first chunk of the backlog cost at 100 bytes a second, with its headers, is waited for before the next one.
    expect(Math.abs(uploads.clock.sleeps.at(-1)! / 10 - oldest!.bytes - 156)).toBeLessThan(10);
  });

  test.each([false, true])(
    'keeps the average rate, and delivers everything (oldest first: %s)',
    async (sendsOldestFirst) => {
      await withBacklog(12_000, { uploadMaxRate: 1_000, sendsOldestFirst });
      uploads.start();
      // The last batch is no backlog any more.
      for (let step = 0; step < 2_000 && uploads.books.pending > 2_500; step++) {
        await uploads.waits();
        await uploads.clock.advance(uploads.clock.nextWakeMs ?? 0);
      }
      const bytes = uploads.posts.reduce((sum, post) => sum + post.bytes, 0);
      const elapsedMs = uploads.posts.at(-1)!.atMs - uploads.posts[0]!.atMs;
      expect(uploads.books.pending).toBeLessThanOrEqual(2_500);
      expect(bytes - uploads.posts.at(-1)!.bytes - uploads.posts[0]!.bytes).toBeLessThanOrEqual(elapsedMs);
    },
  );
});

describe('receiver probe:', () => {
  test('finds a receiver that was away, and everything is sent before the next interval', async () => {
    await withBacklog(100, { probeIntervalMs: 5_000 });
    await uploads.receiver.pause();
    await uploads.pass();
    expect(uploads.state.condition).toBe('away');
    await uploads.clock.advance(5_000);
    await uploads.waits();
    expect(uploads.books.pending).toBe(100);
    await uploads.receiver.resume();
    await uploads.pass();
    expect(uploads.books.pending).toBe(0);
    expect(uploads.clock.now() - START_MS - 100_000).toBe(10_000);
  });

  test('sends nothing while uploads succeed', async () => {
    await withBacklog(100, { probeIntervalMs: 5_000 });
    await uploads.pass();
    await uploads.pass();
    expect(uploads.receiver.requests.filter(({ method }) => method === 'HEAD')).toEqual([]);
  });
});

describe('upload cycle for a receiver that requires the samples of a series in order:', () => {
  test('sends the oldest rows of a backlog first, and those stored meanwhile last', async () => {
    await withBacklog(10_000, { sendsOldestFirst: true });
    uploads.receiver.setFaults({ status: 503, count: 1 });
    await uploads.pass();
    uploads.stored.rows(100);
    await uploads.pass();
    expect(uploads.books).toMatchObject({ pending: 0, delivered: 10_100 });
    const oldest = posts()
      .slice(1)
      .map(([first]) => first);
    expect(oldest).toEqual([...oldest].sort((a, b) => a - b));
    expect(oldest[0]).toBe(1);
  });

  test('sends the newest rows first after the receiver has rejected all of the oldest', async () => {
    await withBacklog(10_000, { sendsOldestFirst: true });
    uploads.receiver.setFaults({ status: 400 });
    // A chunk, and three times one sample.
    for (let pass = 0; pass < 4; pass++) {
      await uploads.pass();
      uploads.stored.rows(100);
    }
    expect(posts().map(([oldest]) => oldest)).toEqual([1, 1, 1, 1]);
    expect(uploads.state.reason).toMatch(/every sample is rejected: HTTP 400/);
    uploads.receiver.clearFaults();
    const before = uploads.posts.length;
    await uploads.pass();
    expect(posts()[before]).toEqual([10_301, expect.any(Number)]);
    expect(uploads.books).toMatchObject({ pending: 0, delivered: 10_400, rejected: 0 });
  });

  test('sends the oldest rows first again once some of them were accepted', async () => {
    await withBacklog(10_000, { sendsOldestFirst: true });
    uploads.receiver.setFaults({ status: 400 });
    for (let pass = 0; pass < 4; pass++) await uploads.pass();
    uploads.receiver.clearFaults();
    await uploads.pass();
    uploads.stored.rows(10_000);
    uploads.clock.step(10_000_000);
    uploads.receiver.setFaults({ status: 503, count: 1 });
    await uploads.pass();
    uploads.stored.rows(100);
    const before = uploads.posts.length;
    await uploads.pass();
    const oldest = posts()
      .slice(before)
      .map(([first]) => first);
    expect(oldest).toEqual([...oldest].sort((a, b) => a - b));
    expect(oldest.at(-1)).toBe(20_001);
    expect(uploads.books).toMatchObject({ pending: 0, delivered: 20_100, rejected: 0 });
  });

  test('goes on with the newest rows first while only those are accepted', async () => {
    await withBacklog(5_000, { sendsOldestFirst: true });
    uploads.receiver.setFaults({ status: 400, when: { contains: 'load_average' } });
    for (let pass = 0; pass < 4; pass++) await uploads.pass();
    for (let delivered = 10; delivered <= 50; delivered += 10) {
      uploads.stored.rows(10, 'new.series');
      await uploads.pass();
      expect(uploads.books).toMatchObject({ delivered, pending: 5_000, rejected: 0 });
    }
  });
});
