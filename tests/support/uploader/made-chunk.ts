import { gzipSync } from 'node:zlib';

import { toRanges } from '@thugshells/shared/database/id-ranges.ts';
import { toJsonLine, toMetricObject } from '@thugshells/shared/metrics/json-lines.ts';

import type { Chunk } from '../../../uploader/src/chunk.ts';
import type { PendingRowsVersion } from '../../../uploader/src/queue/pending-rows-version.ts';
import { START_MS } from './stored-samples.ts';

/** Creates a chunk of samples of one series. Their values and ids are 1 to `count`, or the given ids. */
export function madeChunk(count: number, ids = Array.from({ length: count }, (_, index) => index + 1)): Chunk {
  const metric = toMetricObject({ name: 'load.average_1m', deviceId: 'board-1', tags: {}, valueType: 0 });
  const line = toJsonLine(metric, ids.join(), ids.map((id) => START_MS + id * 1000).join());
  return {
    body: new Uint8Array(gzipSync(line)),
    format: 'json-lines',
    count: ids.length,
    ids: Float64Array.from(ids),
    series: [{ id: 1, start: 0 }],
    ranges: toRanges(ids),
    pendingRowsVersion: 'none' as PendingRowsVersion,
  };
}
