import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { Encoder } from '../../../../uploader/src/encoding/encoder.ts';
import { RowReader } from '../../../../uploader/src/encoding/rows/row-reader.ts';
import { decodeSamples, parseLines } from '../../../support/uploader/encoded-lines.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let good: number;
let bad: number;

beforeEach(() => {
  stored = new StoredSamples();
  bad = stored.series('a.bad', { tags: { core: '0' } });
  good = stored.series('b.good', { tags: { core: '1' } });
  for (const [index, series] of [bad, good, bad, good].entries()) stored.add(series, START_MS + index, index);
});
afterEach(() => stored.remove());

function encode(format: 'json-lines' | 'remote-write-1' = 'json-lines') {
  const request = { ranges: [[1, 100] as const], format, batchMetrics: 100, chunkMetrics: 50, nowMs: START_MS + 1_000 };
  return new Encoder(new RowReader(stored.database)).encode(request);
}

/** Puts a value into a column of the series' row and, unless it says otherwise, of its copy. */
function damage(column: string, value: unknown, tables: readonly string[] = ['series', 'series_copy']): void {
  for (const table of tables) stored.database.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = ?`).run(value, bad);
}

describe('a series that is unreadable', () => {
  test.each([
    ['tags', '{"core":'],
    ['tags', '["core"]'],
    ['tags', '{"core":0}'],
    ['tags', 'null'],
    ['tags', Buffer.from('{}')],
    ['name', Buffer.from('a.bad')],
    ['device_id', Buffer.from('b')],
    ['value_type', 'abc'],
  ])('by its %s (%j) costs its own samples only', (column, value) => {
    damage(column, value);
    for (const format of ['json-lines', 'remote-write-1'] as const) {
      const { chunks, refused } = encode(format);
      expect(chunks.map(({ ids }) => [...ids])).toEqual([[2, 4]]);
      const reason = 'the name and labels of its series cannot be read';
      expect(refused).toEqual([1, 3].map((id) => ({ id, reason })));
    }
  });

  test('is read from its copy, which has the same key', () => {
    damage('tags', '{"core":', ['series']);
    const { chunks, refused } = encode();
    expect([chunks.flatMap(decodeSamples).length, refused]).toEqual([4, []]);
    expect(chunks.flatMap(parseLines).map(({ metric }) => metric['core'])).toEqual(['0', '1']);
  });

  test('is not read from a copy that has another key', () => {
    damage('tags', '{"core":', ['series']);
    damage('tags', '{"core":"7"}', ['series_copy']);
    expect(encode().refused).toHaveLength(2);
  });

  test('is read from its copy if its own row is missing', () => {
    stored.database.prepare('DELETE FROM series WHERE id = ?').run(bad);
    expect(encode()).toMatchObject({ refused: [], chunks: [{ count: 4 }] });
  });
});

describe('a sample of no series', () => {
  test.each([[99], [2 ** 24], [2 ** 40], [-1], ['abc'], [1.5], [Buffer.from('1')], [Infinity]])(
    'by its series_id (%j) is refused alone',
    (seriesId) => {
      stored.database.prepare('UPDATE samples SET series_id = ? WHERE id = 3').run(seriesId);
      const { chunks, refused } = encode();
      expect(chunks.flatMap(({ ids }) => [...ids]).sort()).toEqual([1, 2, 4]);
      expect(refused.map(({ id }) => id)).toEqual([3]);
      // The next batch of the same encoder groups its samples anew.
      expect(encode().refused).toHaveLength(1);
    },
  );
});
