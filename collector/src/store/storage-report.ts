import type { Clock } from '@thugshells/shared/clock.ts';
import { DailyRate } from '@thugshells/shared/daily-rate.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import { describeStorageError } from './recovery/storage-errors.ts';
import type { DatabaseSession } from './database-session.ts';
import type { SpaceLimits } from './space/limits.ts';
import type { StorageFailure } from './store-state.ts';

export interface StorageReportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: SpaceLimits;
  readonly flushIntervalMs: number;
  /** Returns the bytes that this process has written to the disk so far. */
  readonly readWrittenBytes: () => number;
}

/** Each report is a commit of its own: once a minute, not with each scrape. */
const INTERVAL_MS = 60_000;

/** Reports the state of the store to the uploader through the table `storage_state`, and its failures to the log. */
export class StorageReport {
  readonly #options: StorageReportOptions;
  readonly #writtenRate: DailyRate;
  #writtenBytes: number;
  #savedAt = -Infinity;

  constructor(options: StorageReportOptions) {
    this.#options = options;
    this.#writtenRate = new DailyRate(options.clock, options.readWrittenBytes);
    this.#writtenBytes = options.readWrittenBytes();
  }

  get isDue(): boolean {
    return this.#options.clock.monotonic() - this.#savedAt >= INTERVAL_MS;
  }

  /** Logs that samples are buffered from now on, why, and what an operator can do. */
  logFailure(error: unknown, pending: number): void {
    const { hint } = describeStorageError(error);
    const fields = { ...toErrorFields(error), hint, count: pending };
    this.#options.logger.error('cannot store samples, buffering', fields);
  }

  /** Logs that samples are stored again. */
  logRecovery({ reason, sinceMs }: StorageFailure): void {
    const { clock, logger } = this.#options;
    logger.warn('store recovered', { reason, duration_ms: clock.now() - sinceMs });
  }

  /** Saves the report. On a full disk that may fail, which is logged at level debug only: the failure is logged already. */
  save(
    { states, wal }: DatabaseSession,
    { failure, pending }: { readonly failure: StorageFailure | undefined; readonly pending: number },
  ): void {
    const { clock, flushIntervalMs, limits, logger } = this.#options;
    this.#savedAt = clock.monotonic();
    try {
      states.save({
        flushIntervalMs,
        maxBytes: limits.maxBytes,
        walLimitBytes: limits.walBytes,
        walBlockedSinceMs: wal.blockedSinceMs ?? null,
        walCheckpointMs: wal.last?.durationMs ?? null,
        walReclaimedBytes: wal.takeReclaimedBytes(),
        writtenBytes: this.#takeWrittenBytes(),
        writtenPerDay: this.#writtenRate.perDay() ?? null,
        failure: failure?.reason ?? null,
        failureSinceMs: failure?.sinceMs ?? null,
        bufferedSamples: failure === undefined ? 0 : pending,
      });
    } catch (error) {
      logger.debug('cannot save the storage state', toErrorFields(error));
    }
  }

  /** Returns the bytes since the last call. */
  #takeWrittenBytes(): number {
    const before = this.#writtenBytes;
    this.#writtenBytes = this.#options.readWrittenBytes();
    return this.#writtenBytes - before;
  }
}
