import { Worker } from 'node:worker_threads';

import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

export interface HistoryOptions {
  readonly clock: Clock;
  readonly databasePath: string;
  /** The built worker: threads run JavaScript. */
  readonly workerFile: string;
  /** What the time is; Unix milliseconds. */
  readonly nowMs: () => number;
}

/** A reading is good for so long, however many look. */
const FRESH_MS = 5_000;
/** The thread, some 12 MB, ends when nobody has looked for this long. */
const IDLE_MS = 30_000;
/** The reader stops by itself long before; a disk that hangs must not keep a request for ever. */
const PATIENCE_MS = 10_000;

/** Reads the last hour on a thread of its own, which exists only while somebody looks. */
export class HistoryThread {
  readonly #options: HistoryOptions;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last: { readonly askedAt: number; readonly json: Promise<string> } | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Whether the thread is there. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * The hour as JSON.
   *
   * @throws AgentError HISTORY_UNREADABLE
   */
  async read(): Promise<string> {
    const { clock, nowMs } = this.#options;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    if (this.#last !== undefined && clock.monotonic() - this.#last.askedAt < FRESH_MS) return this.#last.json;
    const json = this.#ask(nowMs());
    this.#last = { askedAt: clock.monotonic(), json };
    return json;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#last = undefined;
    await worker?.terminate();
  }

  async #ask(nowMs: number): Promise<string> {
    const { workerFile, databasePath } = this.#options;
    this.#worker ??= new Worker(workerFile, {
      workerData: databasePath,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    const worker = this.#worker;
    try {
      return await answerOf(worker, nowMs);
    } catch (cause) {
      // The next look begins with a new thread.
      await this.close();
      throw new AgentError('the last hour could not be read', { code: 'HISTORY_UNREADABLE', cause });
    }
  }
}

function answerOf(worker: Worker, nowMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      clearTimeout(late);
      worker.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit');
      // An error that comes later than its question must not end the process.
      worker.on('error', () => undefined);
      act();
    };
    const late = setTimeout(() => end(() => reject(new Error('no answer in time'))), PATIENCE_MS).unref();
    worker.once('message', ({ json, error }: { json?: string; error?: string }) =>
      end(() => (json === undefined ? reject(new Error(error)) : resolve(json))),
    );
    worker.once('error', (error) => end(() => reject(error instanceof Error ? error : new Error(String(error)))));
    worker.once('exit', () => end(() => reject(new Error('the thread ended'))));
    worker.postMessage(nowMs);
  });
}
