import { writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { EncodedBatch } from '../../../../uploader/src/encoding/encoder.ts';
import { EncoderPool } from '../../../../uploader/src/encoding/encoder-pool.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { decodeSamples } from '../../../support/uploader/encoded-lines.ts';
import { WORKER_FILE } from '../../../support/uploader/running-uploads.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const FORMAT = { format: 'json-lines', nowMs: START_MS } as const;
let stored: StoredSamples;
let pool: EncoderPool;
beforeEach(() => {
  stored = new StoredSamples();
  pool = new EncoderPool({ databasePath: stored.path, workerFile: WORKER_FILE });
});
afterEach(async () => {
  await pool.close();
  stored.remove();
});

/** Encodes the rows of some ranges in chunks of 50. */
function encode(ranges: readonly IdRange[], batchMetrics = 2_500): Promise<EncodedBatch> {
  return pool.encode({ ranges, batchMetrics, chunkMetrics: 50, ...FORMAT });
}

describe('encoder pool:', () => {
  test('reads the rows of the ranges it was given, and no others', async () => {
    stored.rows(200);
    const { chunks } = await encode([
      [3, 5],
      [100, 101],
    ]);
    expect(chunks.map((chunk) => [...chunk.ids])).toEqual([[3, 4, 5, 100, 101]]);
    expect(decodeSamples(chunks[0]!).map(({ value }) => value)).toEqual([2, 3, 4, 99, 100]);
  });

  test('reads no more rows than the limit of a batch, and returns their ranges', async () => {
    stored.rows(200);
    const { ranges, chunks } = await encode(
      [
        [3, 5],
        [100, 190],
      ],
      60,
    );
    expect([ranges, chunks.map(({ count }) => count)]).toEqual([
      [
        [3, 5],
        [100, 156],
      ],
      [50, 10],
    ]);
  });

  test('cuts rows into chunks, whose bytes arrive whole', async () => {
    stored.rows(120);
    const { chunks } = await encode([[1, 120]]);
    expect(chunks.map((chunk) => [chunk.count, decodeSamples(chunk).length])).toEqual([
      [50, 50],
      [50, 50],
      [20, 20],
    ]);
  });

  test('skips rows that have been deleted', async () => {
    stored.rows(5);
    stored.drop([2, 3], 'cap');
    expect((await encode([[1, 5]])).chunks.flatMap((chunk) => [...chunk.ids])).toEqual([1, 4, 5]);
    expect(await encode([[2, 3]])).toEqual({ ranges: [], chunks: [], refused: [], earliestMs: Infinity });
  });

  test('converts stored time to corrected time by the epoch of each row', async () => {
    stored.rows(2);
    stored.beginEpoch(3_600_000, true);
    stored.rows(2);
    const { chunks } = await encode([[1, 4]]);
    const times = decodeSamples(chunks[0]!).map(({ timestampMs }) => timestampMs - START_MS);
    expect(times).toEqual([0, 1_000, 3_602_000, 3_603_000]);
  });

  test('returns the rows that no receiver would store', async () => {
    const id = stored.add(stored.series('load.average_1m'), START_MS, null);
    expect(await encode([[id, id]])).toEqual({
      ranges: [[id, id]],
      chunks: [],
      refused: [{ id, reason: 'value of type null' }],
      earliestMs: Infinity,
    });
  });

  test('sees rows that were stored after its first task', async () => {
    stored.rows(1);
    await encode([[1, 1]]);
    stored.rows(1, 'cpu.usage_percent');
    const { chunks } = await encode([[2, 2]]);
    expect(decodeSamples(chunks[0]!)[0]!.labels).toEqual({ __name__: 'cpu_usage_percent', device_id: 'board-1' });
  });

  test('reports an error, and continues after it', async () => {
    stored.rows(1);
    stored.database.exec('ALTER TABLE samples RENAME TO moved');
    await expect(encode([[1, 1]])).rejects.toThrow('no such table');
    stored.database.exec('ALTER TABLE moved RENAME TO samples');
    expect((await encode([[1, 1]])).chunks).toHaveLength(1);
  });
});

describe('encoder pool: a thread that cannot start', () => {
  const folder = useTemporaryFolder();

  test.each([
    [
      'throws while it is loaded',
      `throw new Error('no such module');`,
      /^cannot start the encoder thread: .*no such module$/,
    ],
    [
      'ends by itself before it is ready',
      'process.exit(3);',
      /^cannot start the encoder thread: it ended before it was ready$/,
    ],
  ])('%s is an error of each batch that waits for it, and of the next one', async (_, text, message) => {
    stored.rows(2);
    const workerFile = folder.path('broken-worker.mjs');
    writeFileSync(workerFile, text);
    const broken = folder.keep(new EncoderPool({ databasePath: stored.path, workerFile }));
    const batch = (): Promise<unknown> =>
      broken.encode({ ranges: [[1, 2]], batchMetrics: 2, chunkMetrics: 2, ...FORMAT });
    const both = await Promise.allSettled([batch(), batch()]);
    for (const each of [...both, ...(await Promise.allSettled([batch()]))]) {
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { code: 'ENCODER_UNAVAILABLE', message: expect.stringMatching(message) },
      });
    }
  });

  test('the error names a missing file of the thread', async () => {
    stored.rows(2);
    const broken = folder.keep(new EncoderPool({ databasePath: stored.path, workerFile: folder.path('missing.js') }));
    await expect(
      broken.encode({ ranges: [[1, 2]], batchMetrics: 2, chunkMetrics: 2, ...FORMAT }),
    ).rejects.toMatchObject({
      code: 'ENCODER_UNAVAILABLE',
      message: expect.stringContaining('missing.js'),
    });
  });
});
