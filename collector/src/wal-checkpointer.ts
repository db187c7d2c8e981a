import { statSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.js';
import type { Database } from '@thugshells/shared/database/open.js';
import { errorFields, type Logger } from '@thugshells/shared/logger.js';

/** What SQLite says of one WAL checkpoint. */
export interface WalCheckpoint {
  /** Another connection kept it from finishing. */
  readonly busy: boolean;
  readonly durationMs: number;
  readonly reclaimedBytes: number;
}

export interface WalCheckpointerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dbPath: string;
  readonly walCheckpointIntervalMs: number;
  readonly walCheckpointBytes: number;
}

/** How often the WAL's size is looked at, and how soon a busy WAL checkpoint is tried again. */
const LOOK_INTERVAL_MS = 5_000;
/** A reader that holds a snapshot is not waited for: the event loop, and every scrape with it, would stand still. */
const BUSY_TIMEOUT_MS = 50;

/**
 * Moves the WAL into the database, hourly and when it has grown past its size, and at the end.
 * Only the collector does it, so that two processes never do it at once.
 */
export class WalCheckpointer {
  readonly #database: Database;
  readonly #options: WalCheckpointerOptions;
  #checkpointedAt: number;
  #wasBusy = false;

  constructor(database: Database, options: WalCheckpointerOptions) {
    this.#database = database;
    this.#options = options;
    this.#checkpointedAt = options.clock.monotonic();
  }

  /** Looks until `stop`; the last WAL checkpoint is the caller's, after the last write. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, walCheckpointIntervalMs } = this.#options;
    while (!stop.aborted) {
      await clock.sleep(Math.min(LOOK_INTERVAL_MS, walCheckpointIntervalMs), stop);
      if (!stop.aborted && this.#isDue()) this.#tryCheckpoint();
    }
  }

  /** Runs one WAL checkpoint that ends with an empty WAL, or says that it was busy. */
  checkpoint(): WalCheckpoint {
    const { clock, logger } = this.#options;
    const before = this.walBytes();
    const startedAt = clock.monotonic();
    const row = this.#truncate();
    const busy = row?.busy !== 0;
    const result = { busy, durationMs: clock.monotonic() - startedAt, reclaimedBytes: before - this.walBytes() };
    const fields = { wal_bytes: before, duration_ms: result.durationMs, frames: row?.log, moved: row?.checkpointed };
    if (busy) {
      // Tried again every few seconds: it is told when it begins; the WAL checkpoint that goes through is its end.
      logger[this.#wasBusy ? 'debug' : 'warn']('WAL checkpoint was kept from finishing by a reader or writer', fields);
    } else {
      this.#checkpointedAt = clock.monotonic();
      logger.info('WAL checkpoint', fields);
    }
    this.#wasBusy = busy;
    return result;
  }

  #truncate(): { readonly busy: number; readonly log: number; readonly checkpointed: number } | undefined {
    const patienceMs = this.#database.pragma('busy_timeout', { simple: true }) as number;
    this.#database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    try {
      return (this.#database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number; log: number; checkpointed: number }[])[0];
    } finally {
      this.#database.pragma(`busy_timeout = ${patienceMs}`);
    }
  }

  /** Bytes of the WAL file; only its status is asked, since opening it would drop SQLite's locks. */
  walBytes(): number {
    return statSync(`${this.#options.dbPath}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #isDue(): boolean {
    const { clock, walCheckpointIntervalMs, walCheckpointBytes } = this.#options;
    const walBytes = this.walBytes();
    const elapsedMs = clock.monotonic() - this.#checkpointedAt;
    return walBytes >= walCheckpointBytes || (walBytes > 0 && elapsedMs >= walCheckpointIntervalMs);
  }

  #tryCheckpoint(): void {
    try {
      this.checkpoint();
    } catch (error) {
      this.#options.logger.error('WAL checkpoint failed', errorFields(error));
    }
  }
}
