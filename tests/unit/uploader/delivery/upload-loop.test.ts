import { afterEach, describe, expect, test } from '@jest/globals';

import { validate, version } from 'uuid';

import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';

let uploads: RunningUploads;
afterEach(() => uploads.end());

/** Uploads that wait for their first pass, over `count` rows of two series. */
async function withRows(count: number, settings: UploadSettings = {}): Promise<void> {
  uploads = await RunningUploads.prepare(settings);
  const { stored } = uploads;
  stored.scrapes(count / 2, [
    stored.series('load.average_1m'),
    stored.series('cpu.usage_percent', { tags: { core: 'all' } }),
  ]);
}

function checkpoints(): { batch_id: string; chunk_index: number; metric_count: number }[] {
  return uploads.stored.database
    .prepare<[], { batch_id: string; chunk_index: number; metric_count: number }>(
      'SELECT batch_id, chunk_index, metric_count FROM upload_checkpoints ORDER BY id',
    )
    .all();
}

describe('upload loop:', () => {
  test('delivers everything that is pending, in chunks of 50', async () => {
    await withRows(120);
    await uploads.pass();
    expect(uploads.posts.map(({ samples, status }) => [samples, status])).toEqual([
      [50, 204],
      [50, 204],
      [20, 204],
    ]);
    expect(uploads.books).toEqual({ collected: 120, delivered: 120, pending: 0, rejected: 0, dropped: 0 });
    expect([uploads.visible.length, uploads.receiver.duplicates()]).toEqual([120, 0]);
    expect(uploads.stored.database.prepare('SELECT first_id, last_id FROM settled').all()).toEqual([
      { first_id: 1, last_id: 120 },
    ]);
  });

  test('stores a checkpoint for each chunk, all with the id of the batch (A-10)', async () => {
    await withRows(120);
    await uploads.pass();
    expect(checkpoints().map(({ chunk_index, metric_count }) => [chunk_index, metric_count])).toEqual([
      [0, 50],
      [1, 50],
      [2, 20],
    ]);
    const ids = new Set(checkpoints().map(({ batch_id: id }) => id));
    expect([...ids].map((id) => validate(id) && version(id))).toEqual([7]);
  });

  test('sends each value with its name, labels and time', async () => {
    await withRows(4);
    await uploads.pass();
    const start = uploads.receiver
      .rows()
      .map(({ metric, value, timestampMs }) => [metric['__name__'], metric['core'], value, timestampMs]);
    expect(start).toEqual([
      ['load_average_1m', undefined, 0, 1_700_000_000_000],
      ['load_average_1m', undefined, 1, 1_700_000_001_000],
      ['cpu_usage_percent', 'all', 0, 1_700_000_000_000],
      ['cpu_usage_percent', 'all', 1, 1_700_000_001_000],
    ]);
  });

  test('logs one line per cycle, and one when the receiver first accepts samples', async () => {
    await withRows(120);
    await uploads.pass();
    expect(uploads.log.messages()).toEqual(['receiver accepts samples', 'uploaded']);
    const { fields } = uploads.log.lines.find(({ message }) => message === 'uploaded')!;
    expect(fields).toMatchObject({ batch_id: checkpoints()[0]!.batch_id, count: 120, chunks: 3 });
    const headerBytes = (fields['bytes_sent'] as number) - uploads.posts.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(Math.abs(headerBytes / 3 - 156)).toBeLessThan(10);
    expect(uploads.state.lastDelivery).toMatchObject({ count: 120, atMs: uploads.clock.now() });
  });

  test('sends and logs nothing when nothing is pending', async () => {
    await withRows(0);
    await uploads.pass();
    await uploads.pass();
    expect([uploads.posts.length, uploads.log.messages()]).toEqual([0, []]);
  });

  test('begins the next cycle at once while more than a batch is pending', async () => {
    await withRows(250, { batchMetrics: 100, chunkGrowth: false });
    await uploads.pass();
    expect([uploads.books.pending, uploads.clock.sleeps]).toEqual([0, [30_000]]);
    expect(new Set(checkpoints().map(({ batch_id: id }) => id)).size).toBe(3);
  });

  test('begins the next cycle at the next multiple of the interval', async () => {
    await withRows(2, { onAttempt: () => void uploads.clock.advance(70_000) });
    await uploads.pass();
    expect(uploads.clock.sleeps).toEqual([20_000]);
  });

  test('commits every second, so that a kill requeues no more than was accepted in one', async () => {
    const committed: number[] = [];
    const onAttempt = (): void => {
      committed.push(uploads.books.delivered);
      void uploads.clock.advance(600);
    };
    await withRows(250, { onAttempt });
    await uploads.pass();
    expect(committed).toEqual([0, 0, 0, 150, 150]);
  });

  test('commits once per cycle that takes less than a second, however long ago the last commit was', async () => {
    const committed: number[] = [];
    await withRows(150, { onAttempt: () => void committed.push(uploads.books.delivered) });
    await uploads.clock.advance(30_000);
    await uploads.pass();
    expect([committed, uploads.books.delivered]).toEqual([[0, 0, 0], 150]);
  });
});

describe('partial acceptance:', () => {
  test('marks only the first 25 samples when the receiver accepts 25 of 50 (A-16)', async () => {
    await withRows(50);
    uploads.receiver.setFaults({ accepted: 25, count: 1 });
    await uploads.pass();
    // Body order is by series: the first series' rows have the odd ids.
    expect(uploads.stored.idsOf('delivered')).toEqual(Array.from({ length: 25 }, (_, index) => 2 * index + 1));
    expect(uploads.books).toMatchObject({ delivered: 25, pending: 25, rejected: 0 });
    expect(checkpoints()).toMatchObject([{ chunk_index: 0, metric_count: 25 }]);
    expect(uploads.receiver.rows().map(({ metric }) => metric['__name__'])).toEqual(
      Array<string>(25).fill('load_average_1m'),
    );
  });

  test('the next cycle sends the rest, and no sample is stored twice', async () => {
    await withRows(50);
    uploads.receiver.setFaults({ accepted: 25, count: 1 });
    await uploads.pass();
    await uploads.pass();
    expect([uploads.books.pending, uploads.visible.length, uploads.receiver.duplicates()]).toEqual([0, 50, 0]);
  });

  test('samples that the receiver rejects by index are quarantined with the reason', async () => {
    await withRows(50);
    const rejected = [
      { index: 0, reason: 'too old' },
      { index: 26, reason: 'bad label' },
    ];
    uploads.receiver.setFaults({ rejected, count: 1 });
    await uploads.pass();
    expect(uploads.stored.database.prepare('SELECT * FROM rejected ORDER BY id').all()).toEqual([
      { id: 1, status: 200, reason: 'too old' },
      { id: 4, status: 200, reason: 'bad label' },
    ]);
    expect(uploads.books).toMatchObject({ delivered: 48, pending: 0, rejected: 2 });
    await uploads.pass();
    expect(uploads.posts).toHaveLength(1);
  });

  test.each([60, -1, 2.5])('marks nothing when the receiver claims to have accepted %d of 50', async (accepted) => {
    await withRows(50);
    uploads.receiver.setFaults({ status: 200, body: JSON.stringify({ accepted }), store: 'all', count: 1 });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 0, pending: 50 });
    await uploads.pass();
    expect([uploads.books.pending, uploads.visible.length]).toEqual([0, 50]);
  });
});

describe('invalid samples:', () => {
  test('one that no receiver would store is rejected before it is sent, and the others are delivered', async () => {
    await withRows(50);
    const { stored } = uploads;
    const bad = stored.add(stored.series('disk.read_bytes_total'), 1_700_000_000_000, null);
    await uploads.pass();
    expect(stored.database.prepare('SELECT * FROM rejected').all()).toEqual([
      { id: bad, status: null, reason: 'value of type null' },
    ]);
    expect(uploads.books).toMatchObject({ delivered: 50, rejected: 1, pending: 0 });
    expect(uploads.log.messages('warn')).toEqual(['rejected invalid stored samples']);
  });

  test('one that the receiver rejects is found in its chunk and quarantined with status and reason, and the others are delivered', async () => {
    await withRows(120);
    const { stored } = uploads;
    const bad = stored.add(stored.series('bad.series'), 1_700_000_000_000, 1);
    uploads.receiver.setFaults({ status: 400, body: 'cannot parse', when: { contains: 'bad_series' } });
    await uploads.pass();
    await uploads.pass();
    expect(stored.database.prepare('SELECT * FROM rejected').all()).toEqual([
      { id: bad, status: 400, reason: 'HTTP 400: cannot parse' },
    ]);
    expect(uploads.books).toEqual({ collected: 121, delivered: 120, pending: 0, rejected: 1, dropped: 0 });
    expect([uploads.visible.length, uploads.receiver.duplicates()]).toEqual([120, 0]);
    // Three chunks, a sample of each series of the last one, and at most 2·log2 of its 21 samples besides.
    expect(uploads.posts.length).toBeLessThanOrEqual(3 + 2 + 10);
    const { fields } = uploads.log.lines.find(({ message }) => message === 'sample quarantined')!;
    expect(fields).toMatchObject({ sample_id: bad, http_status: 400 });
  });

  test('later samples are sent after it also when the receiver accepts only small bodies', async () => {
    await withRows(120);
    uploads.receiver.setFaults({ status: 413, when: { samplesOver: 10 } });
    for (let pass = 0; pass < 9 && uploads.books.pending > 0; pass++) await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 120, rejected: 0, pending: 0 });
    expect(uploads.receiver.duplicates()).toBe(0);
  });
});
