import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { BodyFormatName } from './formats/registry.ts';
import { Encoder, type EncodedBatch, type EncodeRequest } from './encoder.ts';
import { RowReader } from './rows/row-reader.ts';

/** A request from the pool to a worker: which rows to encode, never the rows themselves. */
export interface EncodeTask extends EncodeRequest {
  readonly databasePath: string;
  readonly format: BodyFormatName;
}

/** piscina's keys for buffers that are moved, not copied. Importing piscina for them would load it into this thread. */
const transferable = Symbol.for('Piscina.transferable');
const transferredValue = Symbol.for('Piscina.valueOf');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;

/** The thread's own database connection and cached series. This file is the thread's entry point, so they live as long. */
let reader: RowReader | undefined;
let encoder: Encoder | undefined;

/**
 * Reads and encodes the rows of one batch; the bodies are moved to the caller's thread.
 *
 * A batch leaves a few megabytes of garbage outside of V8's heap, which do not trigger a collection: some 25 MB pile up
 * without the explicit one. A minor collection takes about a millisecond.
 */
export default function encodeTask({ databasePath, format, ...request }: EncodeTask): EncodedBatch {
  reader ??= new RowReader(databasePath);
  if (encoder?.format !== format) encoder = new Encoder(reader, format);
  const batch = encoder.encode(request);
  collectGarbage({ type: 'minor' });
  const buffers = batch.chunks.flatMap(({ body, ids }) => [body.buffer, ids.buffer]);
  return Object.assign(batch, { [transferable]: buffers, [transferredValue]: { ...batch } });
}
