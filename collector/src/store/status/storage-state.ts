import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { StorageStateUpdate } from '@thugshells/shared/state/storage-state.ts';

/** Writes the table `storage_state` for the uploader, and reads what the uploader reports of the database. */
export class StorageStateTable {
  readonly #save: Statement<[StorageStateUpdate]>;
  readonly #suspected: Statement<[], number | null>;
  readonly #forget: Statement<[]>;

  constructor(database: Database) {
    this.#suspected = database.prepare<[], number | null>('SELECT suspected_at FROM uploader_state').pluck();
    this.#forget = database.prepare('UPDATE uploader_state SET suspected_at = NULL');
    this.#save = database.prepare(
      `UPDATE storage_state SET flush_interval_ms = @flushIntervalMs, max_bytes = @maxBytes, wal_limit_bytes = @walLimitBytes,
         wal_blocked_since = @walBlockedSinceMs, wal_checkpoint_ms = IFNULL(@walCheckpointMs, wal_checkpoint_ms),
         wal_reclaimed_bytes = wal_reclaimed_bytes + @walReclaimedBytes, written_bytes = written_bytes + @writtenBytes,
         written_per_day = @writtenPerDay, trouble = @failure, trouble_since = @failureSinceMs, waiting = @bufferedSamples`,
    );
  }

  save(state: StorageStateUpdate): void {
    this.#save.run(state);
  }

  /** Returns whether the uploader has reported corruption since the last call. */
  takeSuspicion(): boolean {
    const isSuspected = typeof this.#suspected.get() === 'number';
    if (isSuspected) this.#forget.run();
    return isSuspected;
  }
}
