// Longer than a test should be: each kind of row is a case, in each body format.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { Labels } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER, toStoredValue } from '@thugshells/shared/metrics/sample-value.ts';

import { parseImportLines } from '../../../receiver/src/import-lines.ts';
import { Encoder, type EncodedBatch } from '../../../../uploader/src/encoding/encoder.ts';
import { RowReader, type SeriesRow } from '../../../../uploader/src/encoding/rows/row-reader.ts';
import { parseLines, decodeSamples, decodeBody } from '../../../support/uploader/encoded-lines.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;

/** A row without its id. */
interface Row {
  readonly seriesId: number;
  readonly timestampMs: number;
  readonly value: unknown;
}

function series(name: string, tags: Labels = {}, valueType = 0): Omit<SeriesRow, 'id'> {
  return { name, deviceId: 'board-1', tags, valueType };
}

/** Encodes rows of these series, as they stand in a database; series ids count from 1, row ids from 1 in the order given. */
function encodeRows(
  known: readonly Omit<SeriesRow, 'id'>[],
  rows: readonly Row[],
  chunkMetrics = 50,
  furtherChunkMetrics?: number,
): EncodedBatch {
  const stored = new StoredSamples();
  try {
    stored.database.transaction(() => {
      for (const { name, ...options } of known) stored.series(name, options);
      for (const { seriesId, timestampMs, value } of rows) {
        stored.add(seriesId, timestampMs, typeof value === 'number' && Number.isNaN(value) ? null : value);
      }
    })();
    const ranges = rows.length === 0 ? [] : [[1, rows.length] as const];
    const sizes = { batchMetrics: rows.length, chunkMetrics, ...(furtherChunkMetrics && { furtherChunkMetrics }) };
    const request = { ranges, format: 'json-lines', ...sizes, nowMs: NOW } as const;
    return new Encoder(new RowReader(stored.database)).encode(request);
  } finally {
    stored.remove();
  }
}

/** Rows of some series, one of each a second. */
function scrapes(count: number, seriesCount: number): Row[] {
  return Array.from({ length: count * seriesCount }, (_, index) => ({
    seriesId: (index % seriesCount) + 1,
    timestampMs: NOW - 10 * DAY_MS + Math.floor(index / seriesCount) * 1000,
    value: index,
  }));
}

describe('encoded batch:', () => {
  const names = Array.from({ length: 7 }, (_, index) => series('cpu.usage_percent', { core: String(index) }));

  test('has 50 chunks of 50 for 2,500 rows (A-9)', () => {
    const rows = scrapes(2_500, 1);
    const { chunks, refused } = encodeRows([series('load.average_1m')], rows);
    expect(chunks.map(({ count }) => count)).toEqual(Array<number>(50).fill(50));
    expect(chunks.map((chunk) => decodeSamples(chunk).length)).toEqual(Array<number>(50).fill(50));
    expect(refused).toEqual([]);
    expect(chunks.flatMap(decodeSamples).map(({ value }) => value)).toEqual(rows.map(({ value }) => value));
  });

  test('is sorted by series and time before it is cut, so that a series’ samples share a line (A-11)', () => {
    const { chunks } = encodeRows(names, scrapes(20, 7));
    expect(chunks.map(({ count }) => count)).toEqual([50, 50, 40]);
    const cores = chunks.flatMap(parseLines).map(({ metric }) => metric['core']);
    // The first cut falls inside a series, which goes on in the next chunk; the second one falls between two.
    expect(cores).toEqual(['0', '1', '2', '2', '3', '4', '5', '6']);
    for (const { timestamps } of chunks.flatMap(parseLines))
      expect(timestamps).toEqual([...timestamps].sort((a, b) => a - b));
  });

  test('is sorted by series also if the later series was stored first', () => {
    const rows = [2, 1, 2, 1].map((seriesId, index) => ({ seriesId, timestampMs: NOW + index, value: index }));
    expect(encodeRows(names, rows).chunks.map((chunk) => [...chunk.ids])).toEqual([[2, 4, 1, 3]]);
  });

  test('lists the ids of each chunk in the order of its body', () => {
    const rows = scrapes(20, 7);
    for (const chunk of encodeRows(names, rows).chunks) {
      const byId = [...chunk.ids].map((id) => rows[id - 1]!);
      expect(decodeSamples(chunk).map(({ value, timestampMs }) => [value, timestampMs])).toEqual(
        byId.map(({ value, timestampMs }) => [value, timestampMs]),
      );
    }
  });

  test('ends with a smaller chunk of the remaining samples', () => {
    expect(encodeRows(names, scrapes(1, 7), 3).chunks.map(({ count }) => count)).toEqual([3, 3, 1]);
  });

  test.each([
    [510, 3_200, [50, 460]],
    [510, 200, [50, 200, 200, 60]],
    [50, 3_200, [50]],
  ])('of %d samples with further chunks of %d: %j', (samples, further, sizes) => {
    const rows = scrapes(samples, 1);
    const { chunks } = encodeRows([series('load.average_1m')], rows, 50, further);
    expect(chunks.map(({ count }) => count)).toEqual(sizes);
    expect(chunks.flatMap(decodeSamples).map(({ value }) => value)).toEqual(rows.map(({ value }) => value));
  });

  test('has no chunk without rows', () => {
    expect(encodeRows([], [])).toEqual({ ranges: [], chunks: [], refused: [], earliestMs: Infinity });
  });

  test('has bodies that can move to another thread: none is a slice of a pool', () => {
    for (const { body } of encodeRows(names, scrapes(20, 7)).chunks)
      expect(body.byteLength).toBe(body.buffer.byteLength);
  });
});

describe('encoded sample:', () => {
  test('has its name with _ for ., its labels and its device (A-50)', () => {
    const { chunks } = encodeRows(
      [series('disk.read_bytes_total', { device: 'sda' })],
      [{ seriesId: 1, timestampMs: NOW, value: 4096 }],
    );
    const labels = { __name__: 'disk_read_bytes_total', device: 'sda', device_id: 'board-1' };
    expect(chunks.flatMap(decodeSamples)).toEqual([{ labels, value: 4096, timestampMs: NOW }]);
  });

  test('keeps a foreign device_id as exported_device_id', () => {
    const { chunks } = encodeRows(
      [series('a.b', { device_id: 'other' })],
      [{ seriesId: 1, timestampMs: NOW, value: 1 }],
    );
    expect(decodeSamples(chunks[0]!)[0]!.labels).toEqual({
      __name__: 'a_b',
      exported_device_id: 'other',
      device_id: 'board-1',
    });
  });

  test('is 1 with the suffix _info and the text as a label, for a text', () => {
    const rows = ['eth0', 'eth0', 'wlan0'].map((value, index) => ({ seriesId: 1, timestampMs: NOW + index, value }));
    const { chunks } = encodeRows([series('network.uplink', {}, 1)], rows);
    expect(parseLines(chunks[0]!)).toEqual([
      {
        metric: { __name__: 'network_uplink_info', device_id: 'board-1', value: 'eth0' },
        values: [1, 1],
        timestamps: [NOW, NOW + 1],
      },
      {
        metric: { __name__: 'network_uplink_info', device_id: 'board-1', value: 'wlan0' },
        values: [1],
        timestamps: [NOW + 2],
      },
    ]);
  });

  test('may have a label called value, for a number', () => {
    const { chunks, refused } = encodeRows(
      [series('a.b', { value: 'x' })],
      [{ seriesId: 1, timestampMs: NOW, value: 5 }],
    );
    expect([decodeSamples(chunks[0]!)[0]!.labels['value'], refused]).toEqual(['x', []]);
  });

  test.each([0, -0, 5e-324, 1.7976931348623157e308, -1.5, 2 ** 53, 0.1 + 0.2, 1e21])(
    'keeps the value %p exactly',
    (value) => {
      const { chunks } = encodeRows([series('a.b')], [{ seriesId: 1, timestampMs: NOW, value }]);
      // Adding 0 turns -0 into 0: the format of a body has no sign for it that a receiver keeps.
      expect(decodeSamples(chunks[0]!)[0]!.value).toBe(value + 0);
    },
  );

  test('may be up to two days ahead', () => {
    const { chunks } = encodeRows([series('a.b')], [{ seriesId: 1, timestampMs: NOW + 2 * DAY_MS, value: 1 }]);
    expect(decodeSamples(chunks[0]!)).toHaveLength(1);
  });
});

test('encoder: writes infinity as a number that no double holds, beside finite numbers of its series', () => {
  const rows = [Infinity, 0.5, -Infinity].map((value, index) => ({ seriesId: 1, timestampMs: NOW + index, value }));
  const { chunks, refused } = encodeRows([series('limit')], rows);
  expect(refused).toEqual([]);
  expect(decodeBody(chunks[0]!)).toContain('"values":[1e999,0.5,-1e999]');
});

test('encoder: of special values that were stored for remote write only −0 goes to VictoriaMetrics, as a zero; the others are refused by name', () => {
  const values = [1, toStoredValue(NaN), toStoredValue(STALE_MARKER), toStoredValue(-0), 2];
  const rows = values.map((value, index) => ({ seriesId: 1, timestampMs: NOW + index, value }));
  const { chunks, refused } = encodeRows([series('limit')], rows);
  expect(refused).toEqual([
    { id: 2, reason: 'value NaN is not finite' },
    { id: 3, reason: 'the end of a series has no value' },
  ]);
  expect(decodeBody(chunks[0]!)).toContain('"values":[1.0,0,2.0]');
});

describe('encoder: refuses what a receiver would accept and then drop, truncate or merge:', () => {
  const tags = (count: number): Labels =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']));
  const sound = { timestampMs: NOW, value: 1 as unknown };

  test.each<[string, Omit<SeriesRow, 'id'>, Partial<Row>]>([
    ['null', series('bad'), { value: null }],
    ['NaN', series('bad'), { value: NaN }],
    ['a text in a series of numbers', series('bad'), { value: '12' }],
    ['a number in a series of texts', series('bad', {}, 1), { value: 12 }],
    ['bytes', series('bad'), { value: Buffer.from('12') }],
    ['a timestamp with a fraction', series('bad'), { timestampMs: NOW + 0.5 }],
    ['a timestamp that is a text', series('bad'), { timestampMs: 'yesterday' as unknown as number }],
    ['a timestamp in seconds', series('bad'), { timestampMs: NOW / 1000 }],
    ['a timestamp of 0', series('bad'), { timestampMs: 0 }],
    ['a timestamp before 1970', series('bad'), { timestampMs: -NOW }],
    ['a timestamp more than two days ahead', series('bad'), { timestampMs: NOW + 2 * DAY_MS + 1 }],
    ['a timestamp in nanoseconds', series('bad'), { timestampMs: NOW * 1e6 }],
    ['29 labels, 31 with __name__ and device_id', series('bad', tags(29)), {}],
    ['a label value over 4 KiB', series('bad', { path: 'x'.repeat(4097) }), {}],
    ['a label value over 4 KiB in UTF-8', series('bad', { path: 'é'.repeat(2049) }), {}],
    ['a label value that is a number', series('bad', { core: 1 as unknown as string }), {}],
    ['a label value that is null', series('bad', { core: null as unknown as string }), {}],
    ['a label value that UTF-8 cannot write', series('bad', { core: '\ud800' }), {}],
    ['a label name over 256 bytes', series('bad', { ['é'.repeat(129)]: 'x' }), {}],
    ['a name over 4 KiB', series('bad'.repeat(1_366)), {}],
    ['28 labels of a text, 31 with __name__, device_id and value', series('bad', tags(28), 1), { value: 'x' }],
    [
      'labels that together exceed an index item',
      series('bad', Object.fromEntries(Object.keys(tags(17)).map((name) => [name, 'x'.repeat(4_000)]))),
      {},
    ],
    ['a text over 4 KiB', series('bad', {}, 1), { value: 'x'.repeat(4097) }],
    ['a label that is called __name__', series('bad', { __name__: 'other' }), {}],
    ['a label without a name', series('bad', { '': 'x' }), {}],
    ['a text’s label that is called value', series('bad', { value: 'x' }, 1), { value: 'text' }],
    ['an empty name', series(''), {}],
  ])('%s', (_, bad, row) => {
    const rows = [
      { seriesId: 1, ...sound },
      { seriesId: 2, ...sound, ...row },
      { seriesId: 1, ...sound, timestampMs: NOW + 1 },
    ];
    const { chunks, refused } = encodeRows([series('good'), bad], rows);
    expect(refused).toEqual([{ id: 2, reason: expect.stringMatching(/./) }]);
    expect(chunks.flatMap((chunk) => [...chunk.ids])).toEqual([1, 3]);
    expect(decodeBody(chunks[0]!)).not.toContain('bad');
  });

  test('but 28 labels and a value of just 4 KiB are not', () => {
    const full = series('full', { ...tags(27), path: 'x'.repeat(4096) });
    const { chunks, refused } = encodeRows([full], [{ seriesId: 1, ...sound }]);
    expect([Object.keys(decodeSamples(chunks[0]!)[0]!.labels).length, refused]).toEqual([30, []]);
  });
});

test('encoder: a receiver parses every body whole, to exactly the samples that were stored (A-12)', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
  const anySeries = fc.record({
    name: text,
    deviceId: text,
    tags: fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true }),
    valueType: fc.constantFrom(0, 1),
  });
  const anyValue = fc.oneof(fc.double(), fc.integer(), text, fc.constant(null));
  const anyTime = fc.oneof(fc.integer({ min: NOW - DAY_MS, max: NOW + 3 * DAY_MS }), fc.double({ noNaN: true }));
  const anyRow = fc.record({ seriesId: fc.integer({ min: 1, max: 3 }), timestampMs: anyTime, value: anyValue });
  fc.assert(
    fc.property(
      fc.uniqueArray(anySeries, { minLength: 3, maxLength: 3, selector: ({ name }) => name }),
      fc.uniqueArray(anyRow, { maxLength: 30, selector: ({ seriesId, timestampMs }) => `${seriesId} ${timestampMs}` }),
      (known, rows) => {
        const { chunks, refused } = encodeRows(known, rows, 4);
        const emitted = chunks.flatMap((chunk) => {
          const { rows: read, invalidLines } = parseImportLines(decodeBody(chunk));
          expect(invalidLines).toBe(0);
          expect(read).toHaveLength(chunk.count);
          return read.map((each, index) => ({ ...each, id: chunk.ids[index]! }));
        });
        expect([...emitted, ...refused].map(({ id }) => id).sort((a, b) => a - b)).toEqual(
          rows.map((_, index) => index + 1),
        );
        for (const { id, value, timestampMs, metric } of emitted) {
          const row = rows[id - 1]!;
          expect({ value, timestampMs }).toEqual({
            value: typeof row.value === 'string' ? 1 : row.value! + 0,
            timestampMs: row.timestampMs,
          });
          const { tags } = known[row.seriesId - 1]!;
          for (const [name, label] of Object.entries(tags))
            expect(metric[name === 'device_id' ? 'exported_device_id' : name]).toBe(label);
        }
      },
    ),
    { numRuns: 300 },
  );
});
