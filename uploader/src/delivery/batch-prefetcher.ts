import { merge, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { Backlog } from '../queue/backlog.ts';
import type { ChunkSize } from './chunk-size.ts';
import type { EncodedBatch, EncodeRequest } from '../encoding/encoder.ts';
import type { BatchEncoder } from '../encoding/batch-encoder.ts';
import type { Transport } from '../transport/transport.ts';
import type { TooOldSamples } from './too-old-samples.ts';

export interface BatchPrefetcherOptions {
  readonly backlog: Backlog;
  readonly acknowledgements: Acknowledgements;
  readonly encoder: Pick<BatchEncoder, 'encode'>;
  readonly chunkSize: ChunkSize;
  readonly transport: Pick<Transport, 'format'>;
  readonly tooOld: Pick<TooOldSamples, 'refresh' | 'acceptedSinceMs' | 'listHeld'>;
}

/** Rows that are read at once while none is sendable: the size of a batch is learned from chunks that are accepted. */
const SKIPPED_ROWS = 2_500;

/** A batch that is ready to be sent. */
export interface PrefetchedBatch extends EncodedBatch {
  /** Its rows are newer than the last cycle; what limits the backlog does not limit them. */
  readonly isNewest: boolean;
}

/**
 * Prefetches the batches of one cycle: first the rows that are newer than the last cycle, then the oldest. While one is
 * being sent the next ones are read and encoded on the encoder's thread, one after the other. No row is sent twice in a
 * cycle: what was not accepted stays pending until the next one.
 */
export class BatchPrefetcher {
  readonly #options: BatchPrefetcherOptions;
  #tried: readonly IdRange[] = [];
  /** Ids above it are the newest; undefined once they have all been handed out. */
  #newestAbove: number | undefined;
  readonly #ahead: Promise<PrefetchedBatch | undefined>[] = [];
  /** Whether no row of the last batch was sendable. */
  #isSkipping = false;

  /** @param newestAbove the highest id that an earlier cycle has seen; undefined if the oldest rows are to come first */
  constructor(options: BatchPrefetcherOptions, newestAbove: number | undefined) {
    this.#options = options;
    this.#newestAbove = newestAbove;
  }

  /** Returns the next batch; undefined if there is none left. */
  async next(): Promise<PrefetchedBatch | undefined> {
    const batch = await (this.#ahead.shift() ?? this.#prepare());
    while (batch !== undefined && this.#ahead.length < this.#options.chunkSize.batchesAhead())
      this.#prepareAfter(this.#ahead.at(-1));
    return batch;
  }

  /** Prepares a batch once the one before it has been read: only then its first row is known. */
  #prepareAfter(before: Promise<PrefetchedBatch | undefined> | undefined): void {
    const batch = before === undefined ? this.#prepare() : before.then((last) => last && this.#prepare());
    // next() reports the failure. A batch that is never requested must not end the process by an unhandled rejection.
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

  /** Encodes the first rows above an id, as many as a batch holds now; returns undefined if there are none. */
  async #encode(above: number): Promise<EncodedBatch | undefined> {
    const { backlog, acknowledgements, chunkSize, tooOld } = this.#options;
    await tooOld.refresh();
    const excluded = [...acknowledgements.listUncommitted(), ...tooOld.listHeld(), ...this.#tried];
    const ranges = backlog.findSendable(merge(excluded), above);
    if (ranges.length === 0) return undefined;
    const size = chunkSize.next(backlog.readBooks().pending);
    const batchMetrics = this.#isSkipping ? Math.max(size.batchMetrics, SKIPPED_ROWS) : size.batchMetrics;
    const batch = await this.#encodeAccepted({ ranges, ...size, batchMetrics });
    this.#isSkipping = batch.chunks.length === 0;
    this.#tried = merge([...this.#tried, ...batch.ranges]);
    return batch.ranges.length === 0 ? undefined : batch;
  }

  /** Encodes rows; once more if it was not known yet what the receiver accepts, and some of them may be too old for it. */
  async #encodeAccepted(rows: Omit<EncodeRequest, 'nowMs' | 'format' | 'acceptedSinceMs'>): Promise<EncodedBatch> {
    const { encoder, transport, tooOld } = this.#options;
    const encode = (): Promise<EncodedBatch> =>
      encoder.encode({ ...rows, format: transport.format, acceptedSinceMs: tooOld.acceptedSinceMs() });
    const batch = await encode();
    return (await tooOld.refresh(batch.earliestMs)) ? encode() : batch;
  }
}
