import { statSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.ts';
import type { FileWatch } from '@thugshells/shared/database/file-watch.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

/** The result of one WAL checkpoint. */
export interface WalCheckpoint {
  /** Whether another connection kept it from finishing. */
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
  /** Distinguishes what a WAL checkpoint writes from what other programs write to the files. */
  readonly files?: Pick<FileWatch, 'whileWriting'>;
}

/** What SQLite returns of a WAL checkpoint. */
interface CheckpointRow {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/** Short, since waiting for a reader that holds a snapshot blocks the event loop and delays every scrape. */
const BUSY_TIMEOUT_MS = 50;
/**
 * How soon a WAL checkpoint that was busy or failed is retried. Once the WAL has reached its maximum, samples are buffered
 * in memory, so it is soon; one attempt blocks for at most a twentieth of it.
 */
const RETRY_INTERVAL_MS = 20 * BUSY_TIMEOUT_MS;

/**
 * Checkpoints the WAL: every WAL_CHECKPOINT_INTERVAL, when it has grown past its limit, and at shutdown.
 * Only the collector does it, so that two processes never do it at once.
 */
export class WalCheckpointer {
  readonly #database: Database;
  readonly #options: WalCheckpointerOptions;
  #checkpointedAt: number;
  #notBefore = -Infinity;
  #blockedSinceMs: number | undefined;
  /** Whether one has failed since the last one that finished: the first failure is logged as an error. */
  #hasFailed = false;
  #last: WalCheckpoint | undefined;
  #reclaimedBytes = 0;

  constructor(database: Database, options: WalCheckpointerOptions) {
    this.#database = database;
    this.#options = options;
    this.#checkpointedAt = options.clock.monotonic();
  }

  /** Since when other connections keep the WAL from being emptied, Unix milliseconds; undefined while none does. */
  get blockedSinceMs(): number | undefined {
    return this.#blockedSinceMs;
  }

  /** The last WAL checkpoint that finished. */
  get last(): WalCheckpoint | undefined {
    return this.#last;
  }

  /** Returns the bytes that were reclaimed since the last call. */
  takeReclaimedBytes(): number {
    const bytes = this.#reclaimedBytes;
    this.#reclaimedBytes = 0;
    return bytes;
  }

  /** Runs a WAL checkpoint if the WAL's size or age requires one; a failure is logged, not thrown. */
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

  /** Runs one WAL checkpoint, which empties the WAL unless another connection blocks it. */
  checkpoint(): WalCheckpoint {
    const { clock } = this.#options;
    const before = this.readWalBytes();
    const startedAt = clock.monotonic();
    const row = this.#truncate();
    const busy = row?.busy !== 0;
    const result = { busy, durationMs: clock.monotonic() - startedAt, reclaimedBytes: before - this.readWalBytes() };
    this.#log(result, {
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

  /** Logs a blocked WAL checkpoint once when that begins, as it is retried every second; the next one that finishes ends it. */
  #log({ busy }: WalCheckpoint, fields: Record<string, unknown>): void {
    const { logger } = this.#options;
    if (!busy) logger.info('WAL checkpoint', fields);
    else logger[this.#blockedSinceMs === undefined ? 'warn' : 'debug']('WAL checkpoint blocked', fields);
  }

  #truncate(): CheckpointRow | undefined {
    const { files } = this.#options;
    return files === undefined ? this.#truncateNow() : files.whileWriting(() => this.#truncateNow());
  }

  #truncateNow(): CheckpointRow | undefined {
    const timeoutMs = this.#database.pragma('busy_timeout', { simple: true }) as number;
    this.#database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    try {
      return (this.#database.pragma('wal_checkpoint(TRUNCATE)') as CheckpointRow[])[0];
    } finally {
      this.#database.pragma(`busy_timeout = ${timeoutMs}`);
    }
  }

  /**
   * @throws AgentError WAL_STUCK when the WAL has reached `maxBytes` and cannot be emptied: a larger one would exceed
   *   THUGSHELLS_DB_MAX_SIZE
   */
  requireSpace(maxBytes: number): void {
    if (this.#blockedSinceMs === undefined || this.readWalBytes() < maxBytes) return;
    throw new AgentError('cannot empty the WAL: another program reads the database', {
      code: 'WAL_STUCK',
      hint: 'stop other programs that read the database; a longer WAL would exceed THUGSHELLS_DB_MAX_SIZE',
    });
  }

  /** Returns the size of the WAL file by stat(): opening and closing it would release SQLite's POSIX locks. */
  readWalBytes(): number {
    return statSync(`${this.#options.dbPath}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #isDue(): boolean {
    const { clock, walCheckpointIntervalMs, walBytes: limit } = this.#options;
    const walBytes = this.readWalBytes();
    const elapsedMs = clock.monotonic() - this.#checkpointedAt;
    return walBytes >= limit || (walBytes > 0 && elapsedMs >= walCheckpointIntervalMs);
  }
}
