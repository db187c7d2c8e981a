import { Piscina } from 'piscina';

import type { Clock } from '@thugshells/shared/clock.ts';

import type { BodyFormatName } from './body-formats.ts';
import type { EncodedBatch, EncodeRequest } from './encoder.ts';
import type { EncodeTask } from './encode-worker.ts';

export interface EncoderPoolOptions {
  readonly clock: Clock;
  readonly databasePath: string;
  /** The built worker: threads run JavaScript. */
  readonly workerFile: string;
  /** What the way out takes now; JSON lines by default. */
  readonly format?: () => BodyFormatName;
}

/** A thread takes about 11 MB; it goes away when there has been nothing to encode for this long. */
const IDLE_TIMEOUT_MS = 10_000;

/** The threads that read and encode; the only room that knows piscina. */
export class EncoderPool {
  readonly #pool: Piscina<EncodeTask, EncodedBatch>;
  readonly #options: EncoderPoolOptions;

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
    // Of a thread that ends, or answers, when nobody waits for it any more: destroy() gives up what is under way, and the
    // answer to that may stand in the queue already. Unheard, the event would end the process with a fault at its stop.
    this.#pool.on('error', () => undefined);
  }

  /** Encodes the first rows of some ranges, cut into chunks. */
  async encode(rows: Omit<EncodeRequest, 'nowMs'>): Promise<EncodedBatch> {
    const { databasePath, clock, format = () => 'json-lines' } = this.#options;
    return this.#pool.run({ databasePath, format: format(), ...rows, nowMs: clock.now() });
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
