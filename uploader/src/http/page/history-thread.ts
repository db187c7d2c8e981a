import { Worker } from 'node:worker_threads';

import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

export interface HistoryOptions {
  readonly clock: Clock;
  readonly databasePath: string;
  /** The built worker: threads run JavaScript. */
  readonly workerFile: string;
  /** Returns the current time, Unix milliseconds. */
  readonly nowMs: () => number;
}

/** A result is reused for this long, however many clients ask. */
const MAX_AGE_MS = 5_000;
/** The thread, some 12 MB, ends when no client has asked for this long. */
const IDLE_MS = 30_000;
/** The reader stops by itself long before; a disk that hangs must not hold a request forever. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Reads the last hour on a thread of its own, which exists only while clients ask for it. */
export class HistoryThread {
  readonly #options: HistoryOptions;
  #worker: Worker | undefined;
  #idle = new AbortController();
  #last: { readonly askedAt: number; readonly json: Promise<string> } | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Whether the thread exists. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Returns the last hour as JSON.
   *
   * @throws AgentError HISTORY_UNREADABLE when the database cannot be read, or not in time
   */
  async read(): Promise<string> {
    const { clock, nowMs } = this.#options;
    this.#restartIdleTimer();
    if (this.#last !== undefined && clock.monotonic() - this.#last.askedAt < MAX_AGE_MS) return this.#last.json;
    const json = this.#readOnWorker(nowMs());
    this.#last = { askedAt: clock.monotonic(), json };
    return json;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#idle.abort();
    const worker = this.#worker;
    this.#worker = undefined;
    this.#last = undefined;
    await worker?.terminate();
  }

  #restartIdleTimer(): void {
    this.#idle.abort();
    this.#idle = new AbortController();
    const { signal } = this.#idle;
    void this.#options.clock.sleep(IDLE_MS, signal).then(() => (signal.aborted ? undefined : this.close()));
  }

  async #readOnWorker(nowMs: number): Promise<string> {
    const { workerFile, databasePath, clock } = this.#options;
    this.#worker ??= new Worker(workerFile, {
      workerData: databasePath,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    const worker = this.#worker;
    try {
      return await requestHour(worker, nowMs, clock);
    } catch (cause) {
      // The next request starts a new thread.
      await this.close();
      throw new AgentError('cannot read the last hour', { code: 'HISTORY_UNREADABLE', cause });
    }
  }
}

function requestHour(worker: Worker, nowMs: number, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    const answered = new AbortController();
    const finish = (settle: () => void): void => {
      answered.abort();
      worker.removeAllListeners('message').removeAllListeners('error').removeAllListeners('exit');
      // An error that comes after the answer must not end the process.
      worker.on('error', () => undefined);
      settle();
    };
    void clock.sleep(ANSWER_TIMEOUT_MS, answered.signal).then(() => {
      if (!answered.signal.aborted) finish(() => reject(new Error('no answer from the thread in time')));
    });
    worker.once('message', ({ json, error }: { json?: string; error?: string }) =>
      finish(() => (json === undefined ? reject(new Error(error)) : resolve(json))),
    );
    worker.once('error', (error) =>
      finish(() => reject(error instanceof Error ? error : new Error(toErrorMessage(error)))),
    );
    worker.once('exit', () => finish(() => reject(new Error('the thread ended'))));
    worker.postMessage(nowMs);
  });
}
