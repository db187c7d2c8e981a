import { Worker } from 'node:worker_threads';

import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';
import { parseJson } from '@thugshells/shared/state/stored-values.ts';

import type { DeviceFacts } from './device-facts.ts';
import type { PageRequest, PageResponse } from './history-worker.ts';
import type { HistoryQuery } from './plots.ts';

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
/** One whose older part is missing is continued sooner. */
const CUT_SHORT_MAX_AGE_MS = 500;
/** The page does not wait longer for the facts of the device: it shows those of before. */
const FACTS_TIMEOUT_MS = 500;
/** The results that are kept. */
const MAX_RESULTS = 4;
/** The thread, some 12 MB, ends when no client has asked for this long. */
const IDLE_MS = 30_000;
/** The reader stops by itself long before; a disk that hangs must not hold a request forever. */
const ANSWER_TIMEOUT_MS = 10_000;

interface KeptResult {
  readonly askedAt: number;
  readonly json: Promise<string>;
  maxAgeMs: number;
  isSettled: boolean;
}

/** Reads histories and facts of the device on a thread of its own, which exists only while clients ask for them. */
export class HistoryThread {
  readonly #options: HistoryOptions;
  #worker: Worker | undefined;
  #idle = new AbortController();
  readonly #results = new Map<string, KeptResult>();
  /** Until the last request is done; undefined if none is under way. */
  #busy: Promise<void> | undefined;
  #facts: DeviceFacts | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Whether the thread exists. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Returns a history as JSON.
   *
   * @throws AgentError HISTORY_UNREADABLE when the database cannot be read, or not in time
   */
  async read(query: HistoryQuery): Promise<string> {
    return this.#readKept(`${query.hours} ${query.parts.join(' ')}`, query);
  }

  /** Returns the facts of the device as far as they are known: those of before if the database is slow or unreadable. */
  async readDevice(): Promise<DeviceFacts | undefined> {
    const reading = this.#readKept('device').then(
      (json) => void (this.#facts = (parseJson(json) as DeviceFacts | null) ?? undefined),
      () => undefined,
    );
    const done = new AbortController();
    await Promise.race([reading, this.#options.clock.sleep(FACTS_TIMEOUT_MS, done.signal)]);
    done.abort();
    return this.#facts;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#idle.abort();
    const worker = this.#worker;
    this.#worker = undefined;
    this.#results.clear();
    await worker?.terminate();
  }

  #readKept(key: string, query?: HistoryQuery): Promise<string> {
    this.#restartIdleTimer();
    const { clock } = this.#options;
    const kept = this.#results.get(key);
    // One that is still read is never asked for twice: a disk that hangs must not gather requests.
    if (kept !== undefined && (!kept.isSettled || clock.monotonic() - kept.askedAt < kept.maxAgeMs)) return kept.json;
    const response = this.#request(query);
    const json = response.then((each) => each.json!);
    const result: KeptResult = { askedAt: clock.monotonic(), json, maxAgeMs: MAX_AGE_MS, isSettled: false };
    void response
      .then(({ isCutShort }) => void (result.maxAgeMs = isCutShort === true ? CUT_SHORT_MAX_AGE_MS : MAX_AGE_MS))
      .catch(() => undefined)
      .then(() => (result.isSettled = true));
    this.#results.delete(key);
    this.#results.set(key, result);
    if (this.#results.size > MAX_RESULTS) this.#results.delete(this.#results.keys().next().value!);
    return json;
  }

  /** Asks the thread, after what it was asked before: it has one request at a time. */
  #request(query: HistoryQuery | undefined): Promise<PageResponse> {
    const response = this.#busy?.then(() => this.#readOnWorker(query)) ?? this.#readOnWorker(query);
    const busy = response
      .catch(() => undefined)
      .then(() => {
        if (this.#busy === busy) this.#busy = undefined;
      });
    this.#busy = busy;
    return response;
  }

  #restartIdleTimer(): void {
    this.#idle.abort();
    this.#idle = new AbortController();
    const { signal } = this.#idle;
    void this.#options.clock.sleep(IDLE_MS, signal).then(() => (signal.aborted ? undefined : this.close()));
  }

  async #readOnWorker(query: HistoryQuery | undefined): Promise<PageResponse> {
    const { workerFile, databasePath, clock, nowMs } = this.#options;
    this.#worker ??= new Worker(workerFile, {
      workerData: databasePath,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    const request = { nowMs: nowMs(), ...(query === undefined ? {} : { query }) };
    try {
      return await requestFrom(this.#worker, request, clock);
    } catch (cause) {
      // The next request starts a new thread.
      await this.close();
      throw new AgentError('cannot read the history', { code: 'HISTORY_UNREADABLE', cause });
    }
  }
}

function requestFrom(worker: Worker, request: PageRequest, clock: Clock): Promise<PageResponse> {
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
    worker.once('message', (response: PageResponse) =>
      finish(() => (response.json === undefined ? reject(new Error(response.error)) : resolve(response))),
    );
    worker.once('error', (error) =>
      finish(() => reject(error instanceof Error ? error : new Error(toErrorMessage(error)))),
    );
    worker.once('exit', () => finish(() => reject(new Error('the thread ended'))));
    worker.postMessage(request);
  });
}
