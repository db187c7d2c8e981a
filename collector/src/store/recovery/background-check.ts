import { Worker } from 'node:worker_threads';

/** Checks the whole database once, on a thread of its own, while samples are collected. */
export class BackgroundCheck {
  readonly #worker: Worker;
  #corruption: string | undefined;
  #isOver = false;

  /** @param workerFile the built integrity-worker: threads run JavaScript */
  constructor(workerFile: string, databasePath: string) {
    this.#worker = new Worker(workerFile, { workerData: databasePath });
    this.#worker.on('message', (corruption: string | undefined) => (this.#corruption = corruption));
    // A check that failed proves nothing about the database.
    this.#worker.on('error', () => undefined);
    this.#worker.on('exit', () => (this.#isOver = true));
    this.#worker.unref();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What is corrupt; undefined before the check is over, and if it found nothing. */
  get corruption(): string | undefined {
    return this.#corruption;
  }

  stop(): void {
    void this.#worker.terminate();
  }
}
