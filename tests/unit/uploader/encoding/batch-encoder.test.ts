import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { BatchEncoder, MAX_ROWS_AT_ONCE } from '../../../../uploader/src/encoding/batch-encoder.ts';
import type { EncodedBatch } from '../../../../uploader/src/encoding/encoder.ts';
import { WORKER_FILE } from '../../../support/uploader/running-uploads.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const ROWS = MAX_ROWS_AT_ONCE + 1;
let stored: StoredSamples;
let encoder: BatchEncoder;
beforeEach(() => {
  stored = new StoredSamples();
  stored.rows(ROWS);
  encoder = createEncoder(WORKER_FILE);
});
afterEach(async () => {
  await encoder.close();
  stored.remove();
});

function createEncoder(workerFile: string): BatchEncoder {
  const { database, path: databasePath } = stored;
  return new BatchEncoder({ database, databasePath, workerFile, receiverNow: () => START_MS });
}

/** Encodes the first rows, in batches of 100. */
function encode(rows: number, by = encoder): Promise<EncodedBatch> {
  return by.encode({ ranges: [[1, rows]], batchMetrics: 100, chunkMetrics: 50, format: 'json-lines' });
}

describe('batch encoder:', () => {
  test('encodes at once while little is pending, and the batches of a backlog on its thread', async () => {
    const withoutThread = createEncoder('/nowhere/encode-worker.js');
    expect((await encode(MAX_ROWS_AT_ONCE, withoutThread)).chunks).toHaveLength(2);
    await expect(encode(ROWS, withoutThread)).rejects.toMatchObject({ code: 'ENCODER_UNAVAILABLE' });
    await withoutThread.close();
  });

  test('encodes the same bodies in both places', async () => {
    const here = await encode(MAX_ROWS_AT_ONCE);
    const onThread = await encode(ROWS);
    expect(here.chunks.map(({ body, ids }) => [Buffer.from(body), ids])).toEqual(
      onThread.chunks.map(({ body, ids }) => [Buffer.from(body), ids]),
    );
  });

  test.each([100, ROWS])('rejects samples too far ahead of the receiver’s clock, of %d rows', async (rows) => {
    const { database, path: databasePath } = stored;
    const options = { database, databasePath, workerFile: WORKER_FILE };
    const ahead = new BatchEncoder({ ...options, receiverNow: () => START_MS - 3 * 86_400_000 });
    expect(await encode(rows, ahead)).toMatchObject({
      chunks: [],
      refused: expect.arrayContaining([{ id: 1, reason: 'more than two days in the future' }]),
    });
    await ahead.close();
  });
});
