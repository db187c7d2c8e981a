import { afterEach, describe, expect, test } from '@jest/globals';

import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';

describe('upload loop with a rejected chunk:', () => {
  let uploads: RunningUploads;
  afterEach(() => uploads.end());

  /** Prepares uploads to a receiver that refuses bodies with a series. */
  async function withBadSeries(settings: UploadSettings = {}): Promise<void> {
    uploads = await RunningUploads.prepare({ chunkMetrics: 10, ...settings });
    uploads.receiver.setFaults({ status: 400, body: 'cannot parse', when: { contains: 'bad' } });
  }

  async function passes(count: number): Promise<void> {
    for (let pass = 0; pass < count; pass++) await uploads.pass();
  }

  /** Stores rows of one series each. */
  function add(...names: readonly string[]): void {
    const { stored } = uploads;
    for (const [index, name] of names.entries()) stored.add(stored.series(name), 1_700_000_000_000 + index, 1);
  }

  test('finds one invalid sample with the second attempt if the sample that is sent then is accepted', async () => {
    await withBadSeries();
    add('a', 'b', 'c', 'bad');
    await passes(2);
    expect(uploads.books).toMatchObject({ delivered: 3, pending: 0, rejected: 1 });
    expect(uploads.posts[1]!.atMs - uploads.posts[0]!.atMs).toBe(5_000);
  });

  test('reports that every sample is rejected only after a second request', async () => {
    await withBadSeries();
    add('bad1', 'bad2');
    await passes(1);
    expect([uploads.state.condition, uploads.log.messages('error')]).toEqual(['unknown', []]);
    await passes(2);
    expect(uploads.state.condition).toBe('held');
    expect(uploads.log.messages('error')).toEqual(['uploads paused: rejected by receiver']);
  });

  test('logs twenty of many samples that it quarantines, and how many more there are', async () => {
    await withBadSeries({ chunkMetrics: 50 });
    uploads.stored.rows(50);
    const rejected = Array.from({ length: 33 }, (_, index) => ({ index, reason: 'bad label' }));
    uploads.receiver.setFaults({ rejected, count: 1 });
    await passes(1);
    expect(uploads.books).toMatchObject({ delivered: 17, rejected: 33 });
    const logged = uploads.log.lines.filter(({ level }) => level === 'warn');
    expect(logged.map(({ message }) => message)).toEqual([
      ...Array<string>(20).fill('sample quarantined'),
      'more samples quarantined',
    ]);
    expect(logged.at(-1)!.fields).toEqual({ count: 13 });
  });

  test('gives up no sample for what the receiver had accepted before the rejection, but for what it accepts after it', async () => {
    await withBadSeries({ chunkMetrics: 2 });
    add('a', 'b', 'bad1', 'bad2');
    await passes(6);
    expect(uploads.books).toMatchObject({ delivered: 2, pending: 2, rejected: 0 });
    add('c', 'd');
    await passes(4);
    expect(uploads.books).toMatchObject({ delivered: 4, pending: 0, rejected: 2 });
  });

  test('gives up no old sample that a receiver rejects which accepts newer ones of the same series', async () => {
    uploads = await RunningUploads.prepare({ sendsOldestFirst: true, chunkMetrics: 10 });
    uploads.receiver.setFaults({ status: 400, body: 'out of bounds', when: { contains: '[16999' } });
    const { stored } = uploads;
    for (const id of ['a', 'b'].map((name) => stored.series(name)))
      for (const timestampMs of [1_699_900_000_000, 1_699_900_060_000, 1_700_000_000_000])
        stored.add(id, timestampMs, 1);
    await passes(8);
    expect(uploads.books).toMatchObject({ pending: 6, rejected: 0 });
    uploads.receiver.clearFaults();
    await passes(1);
    expect(uploads.books).toMatchObject({ delivered: 6, rejected: 0 });
  });

  test.each([
    ['a single series', ['a', 'bad1', 'b', 'c']],
    ['the first and the last series', ['bad1', 'a', 'b', 'c', 'bad2']],
    ['three of five series', ['bad1', 'bad2', 'a', 'b', 'bad3']],
  ])('delivers what is sound while %s of each scrape is refused', async (_, names) => {
    await withBadSeries();
    const bad = names.filter((name) => name.startsWith('bad')).length;
    const SCRAPES = 30;
    const { stored } = uploads;
    const ids = names.map((name) => stored.series(name));
    for (let scrape = 0; scrape < SCRAPES; scrape++) {
      for (const id of ids) stored.add(id, 1_700_000_000_000 + scrape * 60_000, 1);
      await uploads.pass();
    }
    await passes(10);
    expect(uploads.books).toMatchObject({
      delivered: SCRAPES * (names.length - bad),
      rejected: SCRAPES * bad,
      pending: 0,
    });
  });

  test.each([
    ['from its start', 0],
    ['after everything was refused for a while', 12],
  ])(
    'goes on with a backlog of several batches %s, while a series of each scrape is refused',
    async (_, allRefused) => {
      await withBadSeries({ batchMetrics: 20 });
      const faults = { status: 400, body: 'cannot parse' };
      if (allRefused > 0) uploads.receiver.setFaults(faults);
      const { stored } = uploads;
      const ids = ['bad', 'a', 'b', 'c'].map((name) => stored.series(name));
      let scrapes = 0;
      const scrape = (): void => {
        for (const id of ids) stored.add(id, 1_700_000_000_000 + scrapes * 60_000, 1);
        scrapes += 1;
      };
      while (scrapes < 50) scrape();
      for (let pass = 0; pass < 40 + allRefused; pass++) {
        if (pass === allRefused) uploads.receiver.setFaults({ ...faults, when: { contains: 'bad' } });
        scrape();
        await uploads.pass();
      }
      expect(uploads.books).toMatchObject({ delivered: 3 * scrapes, rejected: scrapes, pending: 0 });
    },
  );

  test('gives up the samples of a chunk if another one of the batch is accepted after it', async () => {
    await withBadSeries({ chunkMetrics: 2, chunkGrowth: false });
    add('a', 'b', 'bad1', 'bad2', 'c', 'd');
    await passes(1);
    expect(uploads.books).toMatchObject({ delivered: 4, pending: 0, rejected: 2 });
  });

  test.each([[true], [false]])(
    'gives up what fills the last chunks of each batch (oldest first: %s)',
    async (sendsOldestFirst) => {
      await withBadSeries({ chunkMetrics: 5, chunkGrowth: false, sendsOldestFirst });
      const { stored } = uploads;
      const sound = stored.series('sound');
      const bad = stored.series('bad');
      let scrapes = 0;
      for (; scrapes < 20; scrapes++) {
        for (const id of [sound, bad]) stored.add(id, 1_700_000_000_000 + scrapes * 60_000, 1);
        // Five of each, so that no chunk has both.
        if (scrapes % 5 === 4) await uploads.pass();
      }
      for (let pass = 0; pass < 10 && uploads.books.pending > 0; pass++) {
        stored.add(sound, 1_700_000_000_000 + scrapes++ * 60_000, 1);
        await uploads.pass();
      }
      expect(uploads.books).toMatchObject({ delivered: scrapes, pending: 0, rejected: 20 });
    },
  );

  test.each([[true], [false]])(
    'finds each of hundreds of invalid samples in a chunk, in more than one cycle (oldest first: %s)',
    async (sendsOldestFirst) => {
      await withBadSeries({ chunkMetrics: 900, chunkGrowth: false, sendsOldestFirst });
      const BAD_VALUE = 77_777_777;
      const { stored, receiver } = uploads;
      receiver.setFaults({ status: 400, body: 'too much', when: { contains: String(BAD_VALUE) } });
      const series = stored.series('a');
      for (let index = 0; index < 910; index++)
        stored.add(series, 1_700_000_000_000 + index * 1_000, index < 900 && index % 3 === 2 ? BAD_VALUE : index);
      add('b');
      await passes(2);
      // The chunk, the sample that is accepted, the search; what follows must not overtake what is left.
      expect(uploads.posts).toHaveLength(sendsOldestFirst ? 502 : 503);
      expect(uploads.books.pending).toBeGreaterThan(0);
      for (let pass = 0; pass < 20 && uploads.books.pending > 0; pass++) {
        add(`b${pass}`);
        await uploads.pass();
      }
      expect(uploads.books).toMatchObject({ pending: 0, rejected: 300 });
      const times = receiver.rows().flatMap((row) => (row.series.includes('"a"') ? [row.timestampMs] : []));
      expect(times).toHaveLength(610);
      if (sendsOldestFirst) expect(times).toEqual([...times].sort((x, y) => x - y));
    },
    30_000,
  );

  test('gives up nothing for what was accepted before an outage that interrupted the search', async () => {
    await withBadSeries({ chunkMetrics: 5, chunkGrowth: false, retryAttempts: 1, replayWindowMs: 0 });
    const { stored, receiver } = uploads;
    const bad = stored.series('bad');
    for (let minute = 0; minute < 5; minute++) stored.add(bad, 1_700_000_000_000 + minute * 60_000, 1);
    await passes(2);
    expect(uploads.books).toMatchObject({ pending: 5, rejected: 0 });
    add('a');
    // The sample that is accepted, then the first part of the search.
    receiver.setFaults({ status: 503, when: { contains: 'bad' } });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 1, pending: 5, rejected: 0 });
    receiver.setFaults({ status: 400, body: 'cannot parse' });
    await passes(4);
    expect(uploads.books).toMatchObject({ delivered: 1, pending: 5, rejected: 0 });
  });

  test('sends what stood in one chunk with it in the same cycle', async () => {
    await withBadSeries();
    add('bad', 'b', 'c', 'd');
    await uploads.pass();
    // Stored meanwhile: the next chunk holds all of them, and overlaps the one that is searched.
    add('e', 'f');
    for (let pass = 0; pass < 4 && uploads.books.rejected === 0; pass++) await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 5, pending: 0, rejected: 1 });
  });

  test('keeps the order of a series for a receiver that requires it, also after half of a chunk was rejected', async () => {
    await withBadSeries({ sendsOldestFirst: true, batchMetrics: 20 });
    add('bad');
    uploads.stored.rows(60);
    await passes(2);
    uploads.stored.rows(10);
    for (let pass = 0; pass < 9 && uploads.books.pending > 0; pass++) await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 70, pending: 0, rejected: 1 });
    const last = new Map<string, number>();
    for (const { series, timestampMs } of uploads.receiver.rows()) {
      expect(timestampMs).toBeGreaterThan(last.get(series) ?? 0);
      last.set(series, timestampMs);
    }
  });
});
