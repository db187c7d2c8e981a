import { encode, type EncodedBatch } from './encoder.js';
import type { IdRange } from './id-ranges.js';
import { RowReader } from './row-reader.js';

/** What the pool hands to a worker: which rows, never the rows themselves. */
export interface EncodeTask {
  readonly databasePath: string;
  readonly ranges: readonly IdRange[];
  readonly chunkMetrics: number;
  readonly nowMs: number;
}

/** Keys under which piscina looks for what is to be moved, not copied; importing piscina for them would load it here. */
const transferable = Symbol.for('Piscina.transferable');
const valueOf = Symbol.for('Piscina.valueOf');

/** The thread's own connection: this file is its entry, and lives as long as it does. */
let reader: RowReader | undefined;

/** Reads the rows of one batch and encodes them; the bodies move to the caller's thread. */
export default function encodeTask(task: EncodeTask): EncodedBatch {
  reader ??= new RowReader(task.databasePath);
  const { databasePath: _, ranges, ...options } = task;
  const rows = reader.read(ranges);
  const batch = encode(rows, { ...options, series: (id) => reader!.series(id) });
  const buffers = batch.chunks.flatMap(({ body, ids }) => [body.buffer, ids.buffer]);
  return Object.assign(batch, { [transferable]: buffers, [valueOf]: { ...batch } });
}
