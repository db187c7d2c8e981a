import type { Logger } from '../logging/logger.ts';
import type { Notify } from '../process/systemd.ts';
import type { MigrationObserver } from './migrate.ts';

export interface MigrationProgressOptions {
  readonly logger: Logger;
  readonly notify: Notify;
  /** Milliseconds of a clock that only grows. */
  readonly monotonic: () => number;
}

/** Between two lines: a person who waits wants to see that it moves, a log is not to be filled. */
const LOG_INTERVAL_MS = 5_000;

/** Tells the log and systemd how far a migration is, and systemd to wait for it. */
export class MigrationProgress implements MigrationObserver {
  readonly #options: MigrationProgressOptions;
  readonly #startedAt: number;
  #toldAt: number;

  constructor(options: MigrationProgressOptions) {
    this.#options = options;
    this.#startedAt = options.monotonic();
    this.#toldAt = this.#startedAt;
  }

  expect(ms: number): void {
    this.#options.notify({ extendTimeoutMs: ms });
  }

  reach(share: number, migration: string): void {
    const { logger, notify, monotonic } = this.#options;
    const now = monotonic();
    if (now - this.#toldAt < LOG_INTERVAL_MS) return;
    this.#toldAt = now;
    // Rounded down: 100 % is said by the line that it has been migrated.
    const percent = Math.floor(share * 100);
    logger.info('migrating database', { percent, migration, duration_ms: Math.round(now - this.#startedAt) });
    notify({ status: `migrating database: ${percent} %` });
  }
}
