import type { Database } from '@thugshells/shared/database/open.ts';

import { Encoder, type EncodedBatch, type EncodeRequest } from './encoder.ts';
import { EncoderPool, type EncoderPoolOptions } from './encoder-pool.ts';
import { RowReader } from './rows/row-reader.ts';

export interface BatchEncoderOptions extends EncoderPoolOptions {
  /** Small batches are read over this connection; the encoder's thread has one of its own. */
  readonly database: Database;
  /** Returns the receiver's time, Unix milliseconds: samples too far ahead of it are rejected. Undefined while unknown. */
  readonly receiverNow: () => number | undefined;
}

/**
 * At most so many rows are encoded on this thread, which takes some 2 ms. To start the encoder's thread for them takes some
 * 80 ms of CPU and 11 MB: without a backlog it would be most of what an upload costs.
 */
export const MAX_ROWS_AT_ONCE = 1_000;

/** Reads and encodes batches: small ones at once, larger ones on the encoder's thread. */
export class BatchEncoder {
  readonly #pool: EncoderPool;
  readonly #encoder: Encoder;
  readonly #receiverNow: () => number | undefined;

  constructor({ database, receiverNow, ...pool }: BatchEncoderOptions) {
    this.#pool = new EncoderPool(pool);
    this.#encoder = new Encoder(new RowReader(database));
    this.#receiverNow = receiverNow;
  }

  /**
   * Encodes the first rows of some ranges, cut into chunks.
   *
   * @throws AgentError ENCODER_UNAVAILABLE when the thread cannot start
   */
  async encode(rows: Omit<EncodeRequest, 'nowMs'>): Promise<EncodedBatch> {
    const request = { ...rows, nowMs: this.#receiverNow() ?? Infinity };
    return isSmall(request) ? this.#encoder.encode(request) : this.#pool.encode(request);
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#pool.close();
  }
}

/** Whether all that is pending is little: the batches of a backlog are encoded on the thread, however small they are. */
function isSmall({ ranges }: EncodeRequest): boolean {
  return ranges.reduce((ids, [first, last]) => ids + last - first + 1, 0) <= MAX_ROWS_AT_ONCE;
}
