import { merge, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { Backlog } from '../queue/backlog.ts';
import type { ChunkSize } from './chunk-size.ts';
import type { EncodedBatch } from '../encoding/encoder.ts';
import type { EncoderPool } from '../encoding/encoder-pool.ts';
import type { Transport } from '../transport/transport.ts';

export interface BatchPrefetcherOptions {
  readonly backlog: Backlog;
  readonly acknowledgements: Acknowledgements;
  readonly encoder: EncoderPool;
  readonly chunkSize: ChunkSize;
  readonly transport: Pick<Transport, 'format'>;
}

/** A batch that is ready to be sent. */
export interface PrefetchedBatch extends EncodedBatch {
  /** Its rows are newer than the last cycle; what limits the backlog does not limit them. */
  readonly isNewest: boolean;
}

/**
 * The batches of one cycle: first the rows above the top of the last cycle, then the oldest. While one is being sent
 * the next ones are read and encoded on the other thread, one after the other. No row comes twice in a cycle: what was
 * not taken waits for the next one.
 */
export class BatchPrefetcher {
  readonly #options: BatchPrefetcherOptions;
  #tried: readonly IdRange[] = [];
  /** Ids above it are the newest; undefined once they have all been handed out. */
  #newestAbove: number | undefined;
  readonly #ahead: Promise<PrefetchedBatch | undefined>[] = [];

  /** @param newestAbove the highest id that an earlier cycle has seen; without a backlog there is no order to keep */
  constructor(options: BatchPrefetcherOptions, newestAbove: number) {
    this.#options = options;
    this.#newestAbove = options.chunkSize.isBacklog(options.backlog.readBooks().pending) ? newestAbove : 0;
  }

  /** The next batch; undefined where there is none left. */
  async next(): Promise<PrefetchedBatch | undefined> {
    const batch = await (this.#ahead.shift() ?? this.#prepare());
    while (batch !== undefined && this.#ahead.length < this.#options.chunkSize.batchesAhead())
      this.#prepareAfter(this.#ahead.at(-1));
    return batch;
  }

  /** Which rows a batch takes is known when the one before it has been read. */
  #prepareAfter(before: Promise<PrefetchedBatch | undefined> | undefined): void {
    const batch = before === undefined ? this.#prepare() : before.then((last) => last && this.#prepare());
    // Who never asks for it is not told of its failure either.
    batch.catch(() => undefined);
    this.#ahead.push(batch);
  }

  async #prepare(): Promise<PrefetchedBatch | undefined> {
    if (this.#newestAbove !== undefined) {
      const newest = await this.#encode(this.#newestAbove);
      if (newest !== undefined) return { ...newest, isNewest: true };
      this.#newestAbove = undefined;
    }
    const oldest = await this.#encode(0);
    return oldest && { ...oldest, isNewest: false };
  }

  /** The first rows above an id, as many as a batch takes now; undefined where there are none. */
  async #encode(above: number): Promise<EncodedBatch | undefined> {
    const { backlog, acknowledgements, encoder, chunkSize, transport } = this.#options;
    const ranges = backlog.findSendable(merge([...acknowledgements.listUncommitted(), ...this.#tried]), above);
    if (ranges.length === 0) return undefined;
    const batch = await encoder.encode({
      ranges,
      format: transport.format,
      ...chunkSize.next(backlog.readBooks().pending),
    });
    this.#tried = merge([...this.#tried, ...batch.ranges]);
    return batch.ranges.length === 0 ? undefined : batch;
  }
}
