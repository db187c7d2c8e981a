import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Encoder } from '../../../../../uploader/src/encoding/encoder.ts';
import { RowReader } from '../../../../../uploader/src/encoding/rows/row-reader.ts';
import {
  encodeStored,
  readMetadata,
  readSeries,
  REMOTE_WRITE_FORMATS,
} from '../../../../support/uploader/remote-write-messages.ts';
import { START_MS, StoredSamples } from '../../../../support/uploader/stored-samples.ts';

describe.each(REMOTE_WRITE_FORMATS)('body of %s:', (format) => {
  test('holds samples beyond VictoriaMetrics’ limits: receivers of remote write respond 400 to what they do not store', () => {
    const { chunks, refused } = encodeStored(format, (stored) => {
      stored.scrapes(1, [stored.series('a.b', { tags: { ['x'.repeat(257)]: 'y'.repeat(4_097) } })]);
      stored.add(stored.series('c.d', { valueType: 1 }), START_MS, 'z'.repeat(4_097));
    });
    expect([chunks.map(({ count }) => count), refused]).toEqual([[2], []]);
  });

  test('holds names, labels, values and times as they are stored, the labels in the order of their names', () => {
    const { chunks } = encodeStored(format, (stored) => {
      const disk = stored.series('disk.read_bytes_total', {
        tags: { zone: 'é ☃', device: 'sda', Bus: 'usb', device_id: 'other', empty: '' },
      });
      const state = stored.series('network.state', { valueType: 1 });
      stored.add(disk, START_MS, 9_007_199_254_740_993n);
      stored.add(disk, START_MS + 1, 0.1 + 0.2);
      stored.add(state, START_MS, 'up');
    });
    expect(chunks.map(({ count, ids }) => [count, [...ids]])).toEqual([[3, [1, 2, 3]]]);
    expect(readSeries(chunks[0]!.body, format)).toEqual([
      {
        labels: [
          ['Bus', 'usb'],
          ['__name__', 'disk_read_bytes_total'],
          ['device', 'sda'],
          ['device_id', 'board-1'],
          ['exported_device_id', 'other'],
          ['zone', 'é ☃'],
        ],
        samples: [
          [START_MS, 9_007_199_254_740_992],
          [START_MS + 1, 0.1 + 0.2],
        ],
      },
      {
        labels: [
          ['__name__', 'network_state_info'],
          ['device_id', 'board-1'],
          ['value', 'up'],
        ],
        samples: [[START_MS, 1]],
      },
    ]);
  });

  test('contains the metadata of a metric once, and again after an hour', () => {
    const stored = new StoredSamples();
    try {
      stored.database.exec(`INSERT INTO metric_families (name, type, help, unit) VALUES
        ('pump_litres', 'counter', 'Pumped.', ''), ('wait_seconds', 'histogram', 'Waited.', 'seconds'), ('odd', 'new type', '', '')`);
      const names = ['pump.litres_total', 'wait_seconds_bucket', 'wait_seconds_count', 'odd', 'silent'];
      const series = names.map((name) => stored.series(name));
      const encoder = new Encoder(new RowReader(stored.database));
      const metadataAt = (nowMs: number): unknown[] => {
        const first = stored.number('SELECT last_id FROM collector_state') + 1;
        for (const each of series) stored.add(each, nowMs, 1);
        const { chunks } = encoder.encode({
          ranges: [[first, first + 9]],
          format,
          batchMetrics: 10,
          chunkMetrics: 50,
          nowMs,
        });
        return readMetadata(chunks[0]!.body, format);
      };
      const expected =
        format === 'remote-write-1'
          ? [
              ['pump_litres', 1, 'Pumped.', ''],
              ['wait_seconds', 3, 'Waited.', 'seconds'],
            ]
          : [
              ['pump_litres_total', 1, 'Pumped.', ''],
              ['wait_seconds_bucket', 3, 'Waited.', 'seconds'],
              ['wait_seconds_count', 3, 'Waited.', 'seconds'],
            ];
      expect(metadataAt(START_MS)).toEqual(expected);
      expect(metadataAt(START_MS + 10_000)).toEqual([]);
      expect(metadataAt(START_MS + 3_600_000)).toEqual(expected);
    } finally {
      stored.remove();
    }
  });

  test('begins empty for each chunk of a batch, and holds whole series, 50 at least where there are as many', () => {
    const { chunks } = encodeStored(
      format,
      (stored) => {
        const series = Array.from({ length: 120 }, (_, index) => stored.series(`series_${index}`));
        void stored.scrapes(2, series);
      },
      30,
    );
    const bodies = chunks.map(({ body }) => readSeries(body, format));
    expect(bodies.map(({ length }) => length)).toEqual([50, 70]);
    expect(chunks.map(({ count }) => count)).toEqual([100, 140]);
    expect(new Set(bodies.flat().map(({ samples }) => samples.length))).toEqual(new Set([2]));
    expect(new Set(bodies.flat().map(({ labels }) => JSON.stringify(labels))).size).toBe(120);
  });

  test('holds 10,000 series at most, however large a chunk may be', () => {
    const { chunks } = encodeStored(
      format,
      (stored) => {
        const series = Array.from({ length: 20_000 }, (_, index) => stored.series(`series_${index}`));
        void stored.scrapes(1, series);
      },
      1_000_000,
    );
    expect(chunks.map(({ body }) => readSeries(body, format).length)).toEqual([9_950, 9_950, 100]);
  });

  test('has the samples of a series in the order of their times, also if a later epoch lies before an earlier one', () => {
    const { chunks, refused } = encodeStored(format, (stored) => {
      const load = stored.series('load.average_1m');
      for (const [second, value] of [
        [0, 10],
        [1, 11],
      ] as const)
        stored.add(load, START_MS + second * 1000, value);
      // Stored time goes on, true time begins three seconds before: 2 becomes -1, 3 becomes 0 and is there already.
      stored.beginEpoch(-3000, true);
      for (const [second, value] of [
        [2, 12],
        [3, 13],
        [4, 14],
        [5, 15],
      ] as const)
        stored.add(load, START_MS + second * 1000, value);
    });
    expect(readSeries(chunks[0]!.body, format)[0]!.samples).toEqual([
      [START_MS - 1000, 12],
      [START_MS, 10],
      [START_MS + 1000, 11],
      [START_MS + 2000, 15],
    ]);
    expect([...chunks[0]!.ids]).toEqual([3, 1, 2, 6]);
    expect(refused).toEqual([4, 5].map((id) => ({ id, reason: 'its series has another sample at the same time' })));
  });

  test('holds everything that can be stored', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    const tags = fc.dictionary(
      text.filter((name) => !name.startsWith('__')),
      text,
      { maxKeys: 4, noNullPrototype: true },
    );
    const values = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.integer()), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, tags, values, (name, all, numbers) => {
        const { chunks, refused } = encodeStored(format, (stored) => {
          const id = stored.series(name, { tags: all });
          numbers.forEach((value, index) => stored.add(id, START_MS + index, value));
        });
        if (refused.length > 0) return;
        const [series] = readSeries(chunks[0]!.body, format);
        // SQLite stores -0 as 0.
        expect(series!.samples).toEqual(numbers.map((value, index) => [START_MS + index, value + 0]));
        const names = series!.labels.map(([label]) => label);
        for (const [label, value] of Object.entries(all))
          expect(series!.labels).toContainEqual([label === 'device_id' ? 'exported_device_id' : label, value]);
        expect(names).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
      { numRuns: 30 },
    );
  });
});
