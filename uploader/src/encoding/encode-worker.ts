import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { Encoder, type EncodedBatch, type EncodeRequest } from './encoder.ts';
import { RowReader } from './rows/row-reader.ts';

/** A request from the pool to a worker: which rows to encode, never the rows themselves. */
export interface EncodeTask extends EncodeRequest {
  readonly databasePath: string;
}

/** piscina's keys for buffers that are moved, not copied. Importing piscina for them would load it into this thread. */
const transferable = Symbol.for('Piscina.transferable');
const transferredValue = Symbol.for('Piscina.valueOf');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;

/** Rows are read once, from first to last: a larger cache would keep pages that are not read again. */
const CACHE_KIB = 1024;

/** With the thread's own database connection and cached series. This file is its entry point, so they live as long. */
let encoder: Encoder | undefined;

/**
 * Reads and encodes the rows of one batch; the bodies are moved to the caller's thread.
 *
 * A batch leaves a few megabytes of garbage outside of V8's heap, which do not trigger a collection: some 25 MB pile up
 * without the explicit one. A minor collection takes about a millisecond.
 */
export default function encodeTask({ databasePath, ...request }: EncodeTask): EncodedBatch {
  encoder ??= new Encoder(new RowReader(openDatabase(databasePath, { readonly: true, cacheKiB: CACHE_KIB })));
  const batch = encoder.encode(request);
  collectGarbage({ type: 'minor' });
  const buffers = batch.chunks.flatMap(({ body, ids }) => [body.buffer, ids.buffer]);
  return Object.assign(batch, { [transferable]: buffers, [transferredValue]: { ...batch } });
}
