import type { Database, Statement } from '@thugshells/shared/database/open.ts';

/** What the sidecar is to know of the store; times are Unix milliseconds. */
export interface StorageState {
  readonly flushIntervalMs: number;
  readonly maxBytes: number;
  readonly walLimitBytes: number;
  readonly walBlockedSince: number | null;
  readonly walCheckpointMs: number | null;
  /** Added to what is there: bytes by which WAL checkpoints have made the WAL smaller since the last time. */
  readonly walReclaimedBytes: number;
  /** Added to what is there: bytes written to the disk since the last time. */
  readonly writtenBytes: number;
  readonly writtenPerDay: number | null;
  readonly trouble: string | null;
  readonly troubleSince: number | null;
  readonly waiting: number;
}

/** The tables through which collector and uploader tell each other how the store fares. */
export class StorageStateTable {
  readonly #save: Statement<[StorageState]>;
  readonly #suspected: Statement<[], number | null>;
  readonly #forget: Statement<[]>;

  constructor(database: Database) {
    this.#suspected = database.prepare<[], number | null>('SELECT suspected_at FROM uploader_state').pluck();
    this.#forget = database.prepare('UPDATE uploader_state SET suspected_at = NULL');
    this.#save = database.prepare(
      `UPDATE storage_state SET flush_interval_ms = @flushIntervalMs, max_bytes = @maxBytes, wal_limit_bytes = @walLimitBytes,
         wal_blocked_since = @walBlockedSince, wal_checkpoint_ms = IFNULL(@walCheckpointMs, wal_checkpoint_ms),
         wal_reclaimed_bytes = wal_reclaimed_bytes + @walReclaimedBytes, written_bytes = written_bytes + @writtenBytes,
         written_per_day = @writtenPerDay, trouble = @trouble, trouble_since = @troubleSince, waiting = @waiting`,
    );
  }

  save(state: StorageState): void {
    this.#save.run(state);
  }

  /** Whether the uploader has met damage since this was asked last. */
  takeSuspicion(): boolean {
    const isSuspected = typeof this.#suspected.get() === 'number';
    if (isSuspected) this.#forget.run();
    return isSuspected;
  }
}
