import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { EncoderPool } from '../../../uploader/src/encoder-pool.js';
import { FakeClock } from '../../support/fake-clock.js';
import { samplesOf } from './encoded-lines.js';
import { WORKER_FILE } from './running-uploads.js';
import { START_MS, StoredSamples } from './stored-samples.js';

let stored: StoredSamples;
let pool: EncoderPool;
beforeEach(() => {
  stored = new StoredSamples();
  pool = new EncoderPool({ clock: new FakeClock(), databasePath: stored.path, workerFile: WORKER_FILE });
});
afterEach(async () => {
  await pool.close();
  stored.remove();
});

describe('the encoder’s thread', () => {
  test('reads the rows of the ranges it was given, and no others', async () => {
    stored.rows(200);
    const { chunks } = await pool.encode({ ranges: [[3, 5], [100, 101]], count: 5 }, 50);
    expect(chunks.map((chunk) => [...chunk.ids])).toEqual([[3, 4, 5, 100, 101]]);
    expect(samplesOf(chunks[0]!).map(({ value }) => value)).toEqual([2, 3, 4, 99, 100]);
  });

  test('cuts them into chunks, whose bytes arrive whole', async () => {
    stored.rows(120);
    const { chunks } = await pool.encode({ ranges: [[1, 120]], count: 120 }, 50);
    expect(chunks.map((chunk) => [chunk.count, samplesOf(chunk).length])).toEqual([[50, 50], [50, 50], [20, 20]]);
  });

  test('steps over rows that have been deleted', async () => {
    stored.rows(5);
    stored.drop([2, 3], 'cap');
    expect((await pool.encode({ ranges: [[1, 5]], count: 5 }, 50)).chunks.flatMap((chunk) => [...chunk.ids])).toEqual([1, 4, 5]);
    expect(await pool.encode({ ranges: [[2, 3]], count: 2 }, 50)).toEqual({ chunks: [], refused: [] });
  });

  test('maps stored time to true time by the epoch of each row', async () => {
    stored.rows(2);
    stored.beginEpoch(3_600_000, true);
    stored.rows(2);
    const { chunks } = await pool.encode({ ranges: [[1, 4]], count: 4 }, 50);
    const times = samplesOf(chunks[0]!).map(({ timestampMs }) => timestampMs - START_MS);
    expect(times).toEqual([0, 1_000, 3_602_000, 3_603_000]);
  });

  test('names the rows that no receiver would keep', async () => {
    const id = stored.add(stored.series('load.average_1m'), START_MS, null);
    expect(await pool.encode({ ranges: [[id, id]], count: 1 }, 50)).toEqual({ chunks: [], refused: [{ id, reason: 'value of type null' }] });
  });

  test('sees rows that were stored after its first task', async () => {
    stored.rows(1);
    await pool.encode({ ranges: [[1, 1]], count: 1 }, 50);
    stored.rows(1, 'cpu.usage_percent');
    const { chunks } = await pool.encode({ ranges: [[2, 2]], count: 1 }, 50);
    expect(samplesOf(chunks[0]!)[0]!.labels).toEqual({ __name__: 'cpu_usage_percent', device_id: 'board-1' });
  });

  test('tells of a fault, and goes on after it', async () => {
    stored.add(99, START_MS, 1);
    stored.rows(1);
    await expect(pool.encode({ ranges: [[1, 1]], count: 1 }, 50)).rejects.toThrow('series 99');
    expect((await pool.encode({ ranges: [[2, 2]], count: 1 }, 50)).chunks).toHaveLength(1);
  });
});
