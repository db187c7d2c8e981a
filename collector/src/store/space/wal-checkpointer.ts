import { statSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

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
  /** Size of the WAL at which a WAL checkpoint is due at once. */
  readonly walBytes: number;
}

/** A reader that holds a snapshot is not waited for: the event loop, and every scrape with it, would stand still. */
const BUSY_TIMEOUT_MS = 50;
/**
 * How soon a WAL checkpoint that was busy or failed is tried again. Samples wait in memory once the WAL has reached what it may
 * have, so it is soon; one try waits a twentieth of it.
 */
const RETRY_INTERVAL_MS = 20 * BUSY_TIMEOUT_MS;

/**
 * Moves the WAL into the database, hourly and when it has grown past its size, and at the end.
 * Only the collector does it, so that two processes never do it at once.
 */
export class WalCheckpointer {
  readonly #database: Database;
  readonly #options: WalCheckpointerOptions;
  #checkpointedAt: number;
  #notBefore = -Infinity;
  #blockedSinceMs: number | undefined;
  /** Since the last one that was finished; told when it begins. */
  #hasFailed = false;
  #last: WalCheckpoint | undefined;
  #reclaimedBytes = 0;

  constructor(database: Database, options: WalCheckpointerOptions) {
    this.#database = database;
    this.#options = options;
    this.#checkpointedAt = options.clock.monotonic();
  }

  /** Since when readers or writers keep the WAL from being emptied, Unix milliseconds; undefined while nobody does. */
  get blockedSinceMs(): number | undefined {
    return this.#blockedSinceMs;
  }

  /** The last one that was finished. */
  get last(): WalCheckpoint | undefined {
    return this.#last;
  }

  /** Bytes that were reclaimed and not asked for yet. */
  takeReclaimedBytes(): number {
    const bytes = this.#reclaimedBytes;
    this.#reclaimedBytes = 0;
    return bytes;
  }

  /** Runs a WAL checkpoint where the WAL's size or age asks for one; its failure is told, not thrown. */
  checkpointIfDue(): void {
    const { clock, logger } = this.#options;
    if (clock.monotonic() < this.#notBefore || !this.#isDue()) return;
    this.#notBefore = clock.monotonic() + RETRY_INTERVAL_MS;
    try {
      this.checkpoint();
    } catch (error) {
      logger[this.#hasFailed ? 'debug' : 'error']('WAL checkpoint failed', toErrorFields(error));
      this.#hasFailed = true;
    }
  }

  /** Runs one WAL checkpoint that ends with an empty WAL, or says that it was busy. */
  checkpoint(): WalCheckpoint {
    const { clock } = this.#options;
    const before = this.walBytes();
    const startedAt = clock.monotonic();
    const row = this.#truncate();
    const busy = row?.busy !== 0;
    const result = { busy, durationMs: clock.monotonic() - startedAt, reclaimedBytes: before - this.walBytes() };
    this.#tell(result, {
      wal_bytes: before,
      duration_ms: result.durationMs,
      frames: row?.log,
      moved: row?.checkpointed,
    });
    if (!busy) {
      this.#checkpointedAt = clock.monotonic();
      this.#notBefore = -Infinity;
      this.#hasFailed = false;
      this.#last = result;
      this.#reclaimedBytes += result.reclaimedBytes;
    }
    this.#blockedSinceMs = busy ? (this.#blockedSinceMs ?? clock.now()) : undefined;
    return result;
  }

  /** Tried again every second, a busy one is told when it begins; the one that goes through is its end. */
  #tell({ busy }: WalCheckpoint, fields: Record<string, unknown>): void {
    const { logger } = this.#options;
    if (!busy) logger.info('WAL checkpoint', fields);
    else logger[this.#blockedSinceMs === undefined ? 'warn' : 'debug']('WAL checkpoint blocked', fields);
  }

  #truncate(): { readonly busy: number; readonly log: number; readonly checkpointed: number } | undefined {
    const patienceMs = this.#database.pragma('busy_timeout', { simple: true }) as number;
    this.#database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    try {
      return (
        this.#database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number; log: number; checkpointed: number }[]
      )[0];
    } finally {
      this.#database.pragma(`busy_timeout = ${patienceMs}`);
    }
  }

  /**
   * @throws AgentError WAL_STUCK when the WAL has reached `maxBytes` and cannot be emptied: with a larger one the database
   * would take more than it may
   */
  requireSpace(maxBytes: number): void {
    if (this.#blockedSinceMs === undefined || this.walBytes() < maxBytes) return;
    throw new AgentError('cannot empty the WAL: another program reads the database', {
      code: 'WAL_STUCK',
      hint: 'stop other programs that read the database; a longer WAL would exceed THUGSHELLS_DB_MAX_SIZE',
    });
  }

  /** Bytes of the WAL file; only its status is asked, since opening it would drop SQLite's locks. */
  walBytes(): number {
    return statSync(`${this.#options.dbPath}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #isDue(): boolean {
    const { clock, walCheckpointIntervalMs, walBytes: limit } = this.#options;
    const walBytes = this.walBytes();
    const elapsedMs = clock.monotonic() - this.#checkpointedAt;
    return walBytes >= limit || (walBytes > 0 && elapsedMs >= walCheckpointIntervalMs);
  }
}
