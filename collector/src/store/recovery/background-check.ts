import { Worker } from 'node:worker_threads';

/** A check of the whole database on a thread of its own, beside the collection; it says once what it found. */
export class BackgroundCheck {
  readonly #worker: Worker;
  #fault: string | undefined;
  #isOver = false;

  /** @param workerFile the built integrity-worker: threads run JavaScript */
  constructor(workerFile: string, databasePath: string) {
    this.#worker = new Worker(workerFile, { workerData: databasePath });
    this.#worker.on('message', (fault: string | undefined) => (this.#fault = fault));
    // A check that could not be made says nothing about the database.
    this.#worker.on('error', () => undefined);
    this.#worker.on('exit', () => (this.#isOver = true));
    this.#worker.unref();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What is wrong; undefined before that is known, and where nothing is. */
  get fault(): string | undefined {
    return this.#fault;
  }

  stop(): void {
    void this.#worker.terminate();
  }
}
