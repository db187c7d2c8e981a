import type { Logger } from '../logging/logger.ts';
import type { Notify } from '../process/systemd.ts';
import type { MigrationObserver } from './migrate.ts';

export interface MigrationProgressOptions {
  readonly logger: Logger;
  readonly notify: Notify;
  /** Milliseconds of a clock that only grows. */
  readonly monotonic: () => number;
}

/** Between two log lines: often enough to see progress, and not to fill the log. */
const LOG_INTERVAL_MS = 5_000;

/** Reports the progress of a migration to the log and to systemd, and extends systemd's timeout. */
export class MigrationProgress implements MigrationObserver {
  readonly #options: MigrationProgressOptions;
  readonly #startedAt: number;
  #reportedAt: number;

  constructor(options: MigrationProgressOptions) {
    this.#options = options;
    this.#startedAt = options.monotonic();
    this.#reportedAt = this.#startedAt;
  }

  expect(ms: number): void {
    this.#options.notify({ extendTimeoutMs: ms });
  }

  reach(share: number, migration: string): void {
    const { logger, notify, monotonic } = this.#options;
    const now = monotonic();
    if (now - this.#reportedAt < LOG_INTERVAL_MS) return;
    this.#reportedAt = now;
    // Rounded down: 100 % is reported by `database migrated`.
    const percent = Math.floor(share * 100);
    logger.info('migrating database', { percent, migration, duration_ms: Math.round(now - this.#startedAt) });
    notify({ status: `migrating database: ${percent} %` });
  }
}
