import { Piscina } from 'piscina';

import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';
import { trimMemory } from '@thugshells/shared/process/trim-memory.ts';

import type { EncodedBatch, EncodeRequest } from './encoder.ts';
import type { EncodeTask } from './encode-worker.ts';

export interface EncoderPoolOptions {
  readonly databasePath: string;
  /** The entry point of the threads. */
  readonly workerFile: string;
}

/** A thread takes about 11 MB; it ends when there has been nothing to encode for this long. */
const IDLE_TIMEOUT_MS = 10_000;

/** Reads and encodes batches on another thread. The adapter of piscina. */
export class EncoderPool {
  readonly #pool: Piscina<EncodeTask, EncodedBatch>;
  readonly #options: EncoderPoolOptions;
  /** One for each batch that is being encoded or waits for a thread. */
  readonly #pending = new Set<AbortController>();
  #isClosed = false;

  constructor(options: EncoderPoolOptions) {
    this.#options = options;
    this.#pool = new Piscina<EncodeTask, EncodedBatch>({
      filename: options.workerFile,
      minThreads: 0,
      // One chunk is sent while the next is encoded; a second thread would only wait.
      maxThreads: 1,
      idleTimeout: IDLE_TIMEOUT_MS,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
      // Two histograms of 350 KB that nobody reads.
      recordTiming: false,
    });
    // Emitted when a thread cannot start: piscina keeps the batches in its queue for another thread, which nobody starts.
    // Also emitted when a thread ends after destroy(), with no batch pending; without a listener that would end the process.
    this.#pool.on('error', (error) => this.#fail(error));
    // A thread that ended before it was ready emits no error. If it ended while it encoded, piscina fails the batch first.
    this.#pool.on(
      'workerDestroy',
      () => void setImmediate(() => this.#pool.threads.length === 0 && this.#afterLastThread()),
    );
  }

  /**
   * Encodes the first rows of some ranges, cut into chunks.
   *
   * @throws AgentError ENCODER_UNAVAILABLE when the thread cannot start
   */
  async encode(request: EncodeRequest): Promise<EncodedBatch> {
    const { databasePath } = this.#options;
    const batch = new AbortController();
    this.#pending.add(batch);
    try {
      return await this.#pool.run({ databasePath, ...request }, { signal: batch.signal });
    } catch (error) {
      throw batch.signal.aborted ? batch.signal.reason : error;
    } finally {
      this.#pending.delete(batch);
    }
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.destroy();
  }

  /** After a backlog the C library keeps 15 to 50 MB of free memory. */
  #afterLastThread(): void {
    this.#fail('it ended before it was ready');
    if (!this.#isClosed) trimMemory();
  }

  #fail(cause: unknown): void {
    const error = new AgentError(`cannot start the encoder thread: ${toErrorMessage(cause)}`, {
      code: 'ENCODER_UNAVAILABLE',
      hint: 'install the package again: a file of the uploader is missing or corrupt, or the device is out of memory',
      cause,
    });
    for (const batch of this.#pending) batch.abort(error);
  }
}
