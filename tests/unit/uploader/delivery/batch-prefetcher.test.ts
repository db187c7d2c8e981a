import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { Acknowledgements } from '../../../../uploader/src/queue/acknowledgements.ts';
import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { ChunkSize } from '../../../../uploader/src/delivery/chunk-size.ts';
import { BatchEncoder } from '../../../../uploader/src/encoding/batch-encoder.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { BatchPrefetcher } from '../../../../uploader/src/delivery/batch-prefetcher.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { until } from '../../../support/until.ts';
import { WORKER_FILE } from '../../../support/uploader/running-uploads.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const ROWS = 2_000;
const BATCH = 100;

/** Tells how many batches it was asked for. */
class CountingEncoder extends BatchEncoder {
  asked = 0;

  override async encode(...rows: Parameters<BatchEncoder['encode']>): ReturnType<BatchEncoder['encode']> {
    this.asked += 1;
    return super.encode(...rows);
  }
}

let stored: StoredSamples;
let encoder: CountingEncoder;
beforeEach(() => {
  stored = new StoredSamples();
  stored.rows(ROWS);
  const { database, path: databasePath } = stored;
  encoder = new CountingEncoder({ receiverNow: () => START_MS, database, databasePath, workerFile: WORKER_FILE });
});
afterEach(async () => {
  await encoder.close();
  stored.remove();
});

/** The batches of a cycle, with so many ready while one is sent. */
function upcoming(ahead: number): BatchPrefetcher {
  const settled = new SettledRanges(stored.database);
  const backlog = new Backlog(stored.database, settled);
  const acknowledgements = new Acknowledgements(stored.database, settled, {
    clock: new FakeClock(),
    replayWindowMs: 0,
  });
  const chunkSize = new ChunkSize({
    chunkMetrics: 50,
    batchMetrics: BATCH,
    chunkGrowth: false,
    chunkMaxBytes: 256 * 1024,
    uploadIntervalMs: 30_000,
  });
  chunkSize.batchesAhead = () => ahead;
  const tooOld = { refresh: async () => false, acceptedSinceMs: () => -Infinity, listHeld: () => [] };
  const transport = { format: 'json-lines' } as const;
  return new BatchPrefetcher({ backlog, acknowledgements, encoder, chunkSize, transport, tooOld }, 0);
}

test.each([1, 4])('batch prefetcher: prepares %d batches while one is sent, and not more', async (ahead) => {
  const batches = upcoming(ahead);
  await batches.next();
  await until('they are asked for', () => encoder.asked === 1 + ahead);
  await batches.next();
  await until('one more takes the place of the one that was handed out', () => encoder.asked === 2 + ahead);
  expect(
    (await encoder.encode({ ranges: [[1, 1]], batchMetrics: 1, chunkMetrics: 1, format: 'json-lines' })).chunks,
  ).toHaveLength(1);
  // That one came after all that were asked for before it.
  expect(encoder.asked).toBe(3 + ahead);
});

test.each([1, 4])(
  'batch prefetcher: returns each row once, in the order of the ids, with %d batches ahead',
  async (ahead) => {
    const batches = upcoming(ahead);
    const ids: number[] = [];
    for (let batch = await batches.next(); batch !== undefined; batch = await batches.next())
      ids.push(...batch.chunks.flatMap((chunk) => [...chunk.ids]));
    expect(ids).toEqual(Array.from({ length: ROWS }, (_, index) => index + 1));
  },
);
