import { describe, expect, test } from '@jest/globals';
import { uncompress } from 'snappyjs';

import { STALE_MARKER, toSpecialBytes, toStoredValue } from '@thugshells/shared/metrics/sample-value.ts';

import {
  encodeStored,
  readSeries,
  REMOTE_WRITE_FORMATS,
  type ReadSeries,
} from '../../../../support/uploader/remote-write-messages.ts';
import { START_MS } from '../../../../support/uploader/stored-samples.ts';

const specials = [NaN, STALE_MARKER, -0] as const;

describe.each(REMOTE_WRITE_FORMATS)('body of %s:', (format) => {
  test.each([
    ['numbers', false],
    ['texts, which are read one by one', true],
  ])('holds NaN, the stale marker and −0 bit for bit beside %s', (_, hasText) => {
    const { chunks, refused } = encodeStored(format, (stored) => {
      const series = stored.series('a.b');
      [1.5, ...specials, Infinity, 3].forEach((value, index) =>
        stored.add(series, START_MS + index, toStoredValue(value)),
      );
      if (hasText) stored.add(stored.series('c.d', { valueType: 1 }), START_MS, 'up');
    });
    expect(refused).toEqual([]);
    const [{ samples }] = readSeries(chunks[0]!.body, format) as [ReadSeries];
    expect(samples.map(([timestampMs]) => timestampMs - START_MS)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(samples.map(([, value]) => value)).toEqual([1.5, NaN, NaN, -0, Infinity, 3]);
    const body = Buffer.from(uncompress(chunks[0]!.body));
    // Field 1 of a sample, of wire type 1: eight bytes, least significant first.
    const places = specials.map((value) =>
      body.indexOf(Buffer.from([0x09, ...[...toSpecialBytes(value)!].reverse(), 0x10])),
    );
    expect(places.every((place, index) => place > (places[index - 1] ?? 0))).toBe(true);
  });

  test('refuses what is no value, and that alone', () => {
    const { chunks, refused } = encodeStored(format, (stored) => {
      const series = stored.series('a.b');
      [toStoredValue(NaN), Buffer.from('7ff8000000000002', 'hex'), null, 3].forEach((value, index) =>
        stored.add(series, START_MS + index, value),
      );
    });
    expect(refused).toEqual([
      { id: 2, reason: 'value of type object' },
      { id: 3, reason: 'value of type null' },
    ]);
    expect(readSeries(chunks[0]!.body, format)[0]!.samples.map(([, value]) => value)).toEqual([NaN, 3]);
  });

  test('holds a label of 10 KB, and refuses a series of more than 32,000 bytes by name', () => {
    const { chunks, refused } = encodeStored(format, (stored) =>
      stored.scrapes(1, [
        stored.series('a.b', { tags: { path: 'x'.repeat(10_240) } }),
        stored.series('c.d', { tags: { path: 'x'.repeat(32_000) } }),
      ]),
    );
    expect(readSeries(chunks[0]!.body, format)[0]!.labels[2]).toEqual(['path', 'x'.repeat(10_240)]);
    expect(refused).toEqual([{ id: 2, reason: expect.stringContaining('the limit is 32000') }]);
  });
});
