import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { STALE_MARKER, toStoredValue, type NumericValue } from '@thugshells/shared/metrics/sample-value.ts';

import { Encoder } from '../../../../uploader/src/encoding/encoder.ts';
import { encodeSamples } from '../../../../uploader/src/encoding/encode-samples.ts';
import { RowReader } from '../../../../uploader/src/encoding/rows/row-reader.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
beforeEach(() => void (stored = new StoredSamples()));
afterEach(() => stored.remove());

test.each(['json-lines', 'remote-write-1', 'remote-write-2'] as const)(
  'unstored samples: %s has them as it has the same samples out of the database',
  (format) => {
    const samples: { name: string; tags: Record<string, string>; value: NumericValue }[] = [
      { name: 'uploader.health_status', tags: {}, value: 2 },
      { name: 'uploader.component_status', tags: { component: 'collector', site: 'Köln "1"' }, value: 0.25 },
      { name: 'storage.metrics_pending_upload', tags: { device_id: 'other' }, value: 12_345_678_901 },
      { name: 'a.end', tags: {}, value: STALE_MARKER },
      { name: 'a.nan', tags: {}, value: NaN },
      { name: 'a.zero', tags: {}, value: -0 },
    ];
    for (const { name, tags, value } of samples)
      stored.add(stored.series(name, { tags }), START_MS, toStoredValue(value));
    const { chunks } = new Encoder(new RowReader(stored.database)).encode({
      ...{ ranges: [[1, 6]], batchMetrics: 6, chunkMetrics: 6, nowMs: START_MS, format },
    });
    const body = encodeSamples(format, { samples, deviceId: 'board-1', timestampMs: START_MS });
    expect(Buffer.from(body).equals(chunks[0]!.body)).toBe(true);
  },
);
