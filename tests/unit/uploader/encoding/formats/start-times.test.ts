import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { STALE_MARKER, toStoredValue } from '@thugshells/shared/metrics/sample-value.ts';

import { Encoder } from '../../../../../uploader/src/encoding/encoder.ts';
import { RowReader } from '../../../../../uploader/src/encoding/rows/row-reader.ts';
import { readStarts, type RemoteWriteFormat } from '../../../../support/uploader/remote-write-messages.ts';
import { START_MS, StoredSamples } from '../../../../support/uploader/stored-samples.ts';

/** When series began to count, in the bodies of remote write 2.0. */

const HOUR = 3_600_000;
let stored: StoredSamples;
let encoder: Encoder;

beforeEach(() => {
  stored = new StoredSamples();
  encoder = new Encoder(new RowReader(stored.database));
});
afterEach(() => stored.remove());

function begin(seriesId: unknown, firstId: unknown, startMs: unknown): void {
  stored.database
    .prepare('INSERT INTO series_starts (series_id, first_id, start_ms) VALUES (?, ?, ?)')
    .run(seriesId, firstId, startMs);
}

/** The starts that a body of all samples has, series by series. */
function encodeStarts(format: RemoteWriteFormat = 'remote-write-2', firstId = 1): number[][] {
  const { chunks } = encoder.encode({
    ranges: [[firstId, 1_000]],
    format,
    batchMetrics: 1_000,
    chunkMetrics: 1_000,
    nowMs: START_MS + HOUR,
  });
  return chunks.flatMap(({ body }) => readStarts(body, format));
}

describe('start times', () => {
  test('start times: each sample has that of its series, by the rows up to its id, and others have none', () => {
    const [counter, gauge] = [stored.series('a.total'), stored.series('b')];
    begin(counter, 1, START_MS - HOUR);
    begin(counter, 5, null);
    begin(counter, 7, START_MS + 2_500);
    stored.scrapes(4, [counter, gauge]);
    expect(encodeStarts()).toEqual([
      [START_MS - HOUR, START_MS - HOUR, 0, START_MS + 2_500],
      [0, 0, 0, 0],
    ]);
  });

  test('start times: 1.0 has no place for them', () => {
    const counter = stored.series('a.total');
    begin(counter, 1, START_MS - HOUR);
    stored.scrapes(1, [counter]);
    expect(encodeStarts('remote-write-1')).toEqual([[0]]);
  });

  test('start times: one that is later than the sample, or before there was a clock, is not known', () => {
    const [late, equal, early] = [stored.series('late'), stored.series('equal'), stored.series('early')];
    begin(late, 1, START_MS + 1);
    begin(equal, 1, START_MS);
    begin(early, 1, 60_000);
    stored.scrapes(1, [late, equal, early]);
    expect(encodeStarts()).toEqual([[0], [START_MS], [0]]);
  });

  test('start times: are corrected as the times of the samples are', () => {
    const counter = stored.series('a.total');
    begin(counter, 1, START_MS - HOUR);
    stored.scrapes(1, [counter]);
    stored.beginEpoch(500_000, true);
    stored.scrapes(1, [counter]);
    expect(encodeStarts()).toEqual([[START_MS - HOUR, START_MS - HOUR + 500_000]]);
  });

  test('start times: the end of a series has none, a NaN has one', () => {
    const counter = stored.series('a.total');
    begin(counter, 1, START_MS - HOUR);
    ([NaN, -0, STALE_MARKER] as const).forEach((value, index) =>
      stored.add(counter, START_MS + index, toStoredValue(value)),
    );
    expect(encodeStarts()).toEqual([[START_MS - HOUR, START_MS - HOUR, 0]]);
  });

  test('start times: rows that are written later are read, and unreadable ones mean that no start is known', () => {
    const counter = stored.series('a.total');
    begin(counter, 1, START_MS - HOUR);
    stored.scrapes(1, [counter]);
    expect(encodeStarts()).toEqual([[START_MS - HOUR]]);
    begin(counter, 'x', START_MS - 1);
    begin(Buffer.from('x'), 1, START_MS - 2);
    begin(counter, 2, 0.5);
    begin(counter, 3, START_MS - 3);
    stored.scrapes(2, [counter]);
    expect(encodeStarts('remote-write-2', 2)).toEqual([[0, START_MS - 3]]);
  });

  test('start times: rows that the collector has deleted are forgotten, and the others are not', () => {
    const [deleted, kept, restarting] = [stored.series('a.total'), stored.series('b.total'), stored.series('c.total')];
    begin(deleted, 1, START_MS - HOUR);
    begin(kept, 1, START_MS - HOUR);
    stored.scrapes(1, [deleted, kept, restarting]);
    expect(encodeStarts()).toEqual([[START_MS - HOUR], [START_MS - HOUR], [0]]);
    stored.database.exec('DELETE FROM series_starts WHERE id = 1');
    for (let restart = 0; restart < 1_000; restart++) begin(restarting, 1, START_MS - restart);
    expect(encodeStarts()).toEqual([[0], [START_MS - HOUR], [START_MS - 999]]);
  });
});
