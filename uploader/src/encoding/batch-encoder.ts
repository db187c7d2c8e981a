import type { Database } from '@thugshells/shared/database/open.ts';

import { Encoder, type EncodedBatch, type EncodeRequest } from './encoder.ts';
import type { EncoderPool, EncoderPoolOptions } from './encoder-pool.ts';
import { RowReader } from './rows/row-reader.ts';

export interface BatchEncoderOptions extends EncoderPoolOptions {
  /** Small batches are read over this connection; the encoder's thread has one of its own. */
  readonly database: Database;
  /** Returns the receiver's time, Unix milliseconds: samples too far ahead of it are rejected. Undefined while unknown. */
  readonly receiverNow: () => number | undefined;
}

/**
 * At most so many rows are encoded on this thread, which takes some 3 ms. To start the encoder's thread for them takes some
 * 80 ms of CPU and 11 MB: without a backlog it would be most of what an upload costs.
 */
export const MAX_ROWS_AT_ONCE = 1_000;

/** Reads and encodes batches: small ones at once, larger ones on the encoder's thread. */
export class BatchEncoder {
  readonly #options: BatchEncoderOptions;
  readonly #encoder: Encoder;
  #pool: Promise<EncoderPool> | undefined;

  constructor(options: BatchEncoderOptions) {
    this.#options = options;
    this.#encoder = new Encoder(new RowReader(options.database));
  }

  /**
   * Encodes the first rows of some ranges, cut into chunks.
   *
   * @throws AgentError ENCODER_UNAVAILABLE when the thread cannot start
   */
  async encode(rows: Omit<EncodeRequest, 'nowMs'>): Promise<EncodedBatch> {
    const request = { ...rows, nowMs: this.#options.receiverNow() ?? Infinity };
    if (isSmall(request)) return this.#encoder.encode(request);
    this.#pool ??= createPool(this.#options);
    return (await this.#pool).encode(request);
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await (await this.#pool)?.close();
  }
}

/** Loads piscina with the first backlog: most uploaders never need it. */
async function createPool(options: EncoderPoolOptions): Promise<EncoderPool> {
  const { EncoderPool } = await import('./encoder-pool.ts');
  return new EncoderPool(options);
}

/** Whether all that is pending is little: the batches of a backlog are encoded on the thread, however small they are. */
function isSmall({ ranges }: EncodeRequest): boolean {
  return ranges.reduce((ids, [first, last]) => ids + last - first + 1, 0) <= MAX_ROWS_AT_ONCE;
}
