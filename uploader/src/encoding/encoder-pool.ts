import { Piscina } from 'piscina';

import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

import type { EncodedBatch } from './encoder.ts';
import type { EncodeTask } from './encode-worker.ts';

export interface EncoderPoolOptions {
  readonly databasePath: string;
  /** The entry of the threads. */
  readonly workerFile: string;
  /** The receiver's time, Unix milliseconds: what is too far ahead of it is rejected. Undefined while it is not known. */
  readonly receiverNow: () => number | undefined;
}

/** A thread takes about 11 MB; it goes away when there has been nothing to encode for this long. */
const IDLE_TIMEOUT_MS = 10_000;

/** The threads that read and encode; the only room that knows piscina. */
export class EncoderPool {
  readonly #pool: Piscina<EncodeTask, EncodedBatch>;
  readonly #options: EncoderPoolOptions;
  /** One for each batch that is being encoded or waits for a thread. */
  readonly #pending = new Set<AbortController>();

  constructor(options: EncoderPoolOptions) {
    this.#options = options;
    this.#pool = new Piscina<EncodeTask, EncodedBatch>({
      filename: options.workerFile,
      minThreads: 0,
      // One chunk is posted while the next is encoded; a second thread would only wait.
      maxThreads: 1,
      idleTimeout: IDLE_TIMEOUT_MS,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    // A thread that cannot start: piscina lets the batches in its queue wait for another one, which nobody starts.
    // Also a thread that ends after destroy(), when no batch is pending any more; without a listener that would end the process.
    this.#pool.on('error', (error) => this.#fail(error));
    // One that ended by itself before it was ready is no error of piscina's. If it ended at work, the batch fails by itself first.
    this.#pool.on(
      'workerDestroy',
      () => void setImmediate(() => this.#pool.threads.length === 0 && this.#fail('it ended before it was ready')),
    );
  }

  /**
   * Encodes the first rows of some ranges, cut into chunks.
   *
   * @throws AgentError ENCODER_UNAVAILABLE when the thread cannot start
   */
  async encode(rows: Omit<EncodeTask, 'databasePath' | 'nowMs'>): Promise<EncodedBatch> {
    const { databasePath, receiverNow } = this.#options;
    const batch = new AbortController();
    this.#pending.add(batch);
    try {
      return await this.#pool.run(
        { databasePath, ...rows, nowMs: receiverNow() ?? Infinity },
        { signal: batch.signal },
      );
    } catch (error) {
      throw batch.signal.aborted ? batch.signal.reason : error;
    } finally {
      this.#pending.delete(batch);
    }
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  #fail(cause: unknown): void {
    const error = new AgentError(`cannot start the encoder thread: ${toErrorMessage(cause)}`, {
      code: 'ENCODER_UNAVAILABLE',
      hint: 'install the package again: a file of the uploader is missing or damaged, or the device is out of memory',
      cause,
    });
    for (const batch of this.#pending) batch.abort(error);
  }
}
