import { encode, type Chunk } from '../../../uploader/src/encoder.js';
import { START_MS } from './stored-samples.js';

/** A chunk of samples of one series with the values and ids 1 to `count`, or with these ids. */
export function madeChunk(count: number, ids = Array.from({ length: count }, (_, index) => index + 1)): Chunk {
  const rows = ids.map((id) => ({ id, seriesId: 1, timestampMs: START_MS + id * 1000, value: id }));
  const series = { name: 'load.average_1m', deviceId: 'board-1', tags: {}, valueType: 0 };
  return encode(rows, { chunkMetrics: Math.max(1, ids.length), nowMs: START_MS, series: () => series }).chunks[0]!;
}
