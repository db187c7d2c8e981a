import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { BodyFormatName } from './formats/registry.ts';
import { Encoder, type EncodedBatch, type EncodeRequest } from './encoder.ts';
import { RowReader } from './rows/row-reader.ts';

/** What the pool hands to a worker: which rows, never the rows themselves. */
export interface EncodeTask extends EncodeRequest {
  readonly databasePath: string;
  readonly format: BodyFormatName;
}

/** Keys under which piscina looks for what is to be moved, not copied; importing piscina for them would load it here. */
const transferable = Symbol.for('Piscina.transferable');
const valueOf = Symbol.for('Piscina.valueOf');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;

/** The thread's own connection and what it knows of series: this file is its entry, and lives as long as it does. */
let reader: RowReader | undefined;
let encoder: Encoder | undefined;

/**
 * Reads the rows of one batch and encodes them; the bodies move to the caller's thread.
 *
 * What a batch leaves behind are a few megabytes that lie outside of V8's heap, so that nothing tells V8 to look for
 * them: left to itself it lets some 25 MB gather. To look takes about a millisecond.
 */
export default function encodeTask({ databasePath, format, ...request }: EncodeTask): EncodedBatch {
  reader ??= new RowReader(databasePath);
  if (encoder?.format !== format) encoder = new Encoder(reader, format);
  const batch = encoder.encode(request);
  collectGarbage({ type: 'minor' });
  const buffers = batch.chunks.flatMap(({ body, ids }) => [body.buffer, ids.buffer]);
  return Object.assign(batch, { [transferable]: buffers, [valueOf]: { ...batch } });
}
