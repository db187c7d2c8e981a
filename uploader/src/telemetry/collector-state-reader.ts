import { statSync } from 'node:fs';

import { EpochRanges } from '@thugshells/shared/database/epochs.ts';
import { requireRow, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { listSetAsideFiles, type SetAsideFile } from '@thugshells/shared/database/set-aside-files.ts';
import type { JournalEntry } from '@thugshells/shared/logging/journal.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { Trust } from '@thugshells/shared/state/epoch-trust.ts';
import {
  readCollectorStatus,
  type CollectorStatus,
  type StoredCollectorStatus,
} from '@thugshells/shared/state/collector-status.ts';
import { readJournal, type StoredJournalEntry } from '@thugshells/shared/state/journal-row.ts';
import {
  readStorageState,
  type StorageState,
  type StoredStorageState,
} from '@thugshells/shared/state/storage-state.ts';
import { isTime, StoredValues } from '@thugshells/shared/state/stored-values.ts';

import { readFreeBytes } from './space-estimate.ts';
import type { Snapshot } from './snapshot.ts';

/** A database that was set aside because its schema was newer than the program. */
export interface SetAsideDatabase extends SetAsideFile {
  /** Whether the collector is copying its rows into the database that this reader reads. */
  readonly isImportedHere: boolean;
}

/** Pending rows that are held because their time may be wrong. */
export interface HeldRows {
  readonly count: number;
  readonly reason: string;
}

const BEFORE_BUILD = 'the clock was before the build date of this program';
const FAR_OFF = 'the clock differs from the receiver’s by more than a day';

/** Reads what the collector reports in the database. The cost does not grow with the backlog. */
export class CollectorStateReader {
  readonly #path: string;
  readonly #collectors: Statement<[], StoredCollectorStatus>;
  readonly #heartbeat: Statement<[], unknown>;
  readonly #storage: Statement<[], StoredStorageState>;
  readonly #journal: Statement<[], StoredJournalEntry>;
  readonly #dropped: Statement<[number, number], number>;
  readonly #salvages: Statement<[], string>;
  readonly #epochs: EpochRanges;
  readonly #lastId: Statement<[], number>;
  readonly #trustFlag: Statement<[number], number>;

  readonly #statusValues: StoredValues;
  readonly #bookValues: StoredValues;
  readonly #storageValues: StoredValues;
  readonly #journalValues: StoredValues;

  constructor(database: Database, path: string, logger: Logger = silentLogger) {
    this.#path = path;
    this.#statusValues = new StoredValues('collector_status', logger);
    this.#bookValues = new StoredValues('collector_state', logger);
    this.#storageValues = new StoredValues('storage_state', logger);
    this.#journalValues = new StoredValues('journal', logger);
    this.#collectors = database.prepare(
      `SELECT collector, status, message, since AS sinceMs, interval_ms AS intervalMs, last_scrape AS lastScrapeMs,
         duration_ms AS durationMs, collected, failed, durations
       FROM collector_status ORDER BY collector`,
    );
    this.#heartbeat = database.prepare<[], unknown>('SELECT heartbeat FROM collector_state').pluck();
    this.#storage = database.prepare(
      `SELECT flush_interval_ms AS flushIntervalMs, max_bytes AS maxBytes, wal_limit_bytes AS walLimitBytes, wal_blocked_since AS walBlockedSinceMs,
         wal_checkpoint_ms AS walCheckpointMs, wal_reclaimed_bytes AS walReclaimedBytes, written_per_day AS writtenPerDay,
         trouble AS failure, trouble_since AS failureSinceMs, waiting AS bufferedSamples
       FROM storage_state`,
    );
    this.#journal = database.prepare(
      'SELECT id, since AS sinceMs, at AS atMs, level, message, fields, times FROM journal ORDER BY id',
    );
    this.#dropped = database
      .prepare<[number, number], number>('SELECT IFNULL(SUM(count), 0) FROM losses WHERE at BETWEEN ? AND ?')
      .pluck();
    this.#salvages = database.prepare<[], string>('SELECT file FROM salvage').pluck();
    this.#epochs = new EpochRanges(database);
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#trustFlag = database.prepare<[number], number>('SELECT trusted FROM epochs WHERE first_id = ?').pluck();
  }

  readCollectors(): CollectorStatus[] {
    return this.#collectors.all().flatMap((row) => readCollectorStatus(row, this.#statusValues) ?? []);
  }

  /** Returns when the collector last stored anything, Unix milliseconds; 0 for never. */
  readHeartbeatMs(): number {
    return this.#bookValues.read({ column: 'heartbeat' }, this.#heartbeat.get(), isTime, 0);
  }

  readStorage(): StorageState {
    return readStorageState(this.#storage.get(), this.#storageValues);
  }

  /** Returns the last warnings and errors of the collector, the oldest first. */
  readJournal(): JournalEntry[] {
    return readJournal(this.#journal.all(), this.#journalValues);
  }

  /** Counts the samples that were dropped between two times, Unix milliseconds: a wrong clock may have booked some in the future. */
  countDroppedBetween(firstMs: number, lastMs: number): number {
    return this.#dropped.get(firstMs, lastMs) ?? 0;
  }

  /**
   * Counts the pending rows that are held.
   *
   * @param readSettled ascending ranges of ids; called only if there is an epoch whose rows are held
   * @returns undefined if none is held
   */
  readHeld(readSettled: () => readonly IdRange[]): HeldRows | undefined {
    const newestId = requireRow(this.#lastId.get(), 'collector_state');
    const epochs = this.#epochs
      .all()
      .filter(({ firstId, isTrusted, isLost }) => !isTrusted && !isLost && firstId <= newestId);
    if (epochs.length === 0) return undefined;
    const pending = subtract(
      epochs.map(({ firstId, lastId }): IdRange => [firstId, Math.min(lastId, newestId)]),
      readSettled(),
    );
    const count = pending.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    if (count === 0) return undefined;
    return { count, reason: this.#trustFlag.get(epochs.at(-1)!.firstId) === Trust.no ? BEFORE_BUILD : FAR_OFF };
  }

  /** Lists the databases that were set aside beside this one. */
  readSetAside(): SetAsideDatabase[] {
    const files = listSetAsideFiles(this.#path);
    const copied = files.length === 0 ? [] : this.#salvages.all();
    return files.map((each) => ({ ...each, isImportedHere: copied.includes(each.file) }));
  }

  /** Reads the free space, and the sizes of the database and of its WAL by stat(2): opening and closing a file would drop SQLite's locks. */
  readSizes(): Pick<Snapshot, 'databaseBytes' | 'walBytes' | 'freeBytes'> {
    const sizeBytes = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const freeBytes = readFreeBytes(this.#path);
    return { databaseBytes: sizeBytes(this.#path), walBytes: sizeBytes(`${this.#path}-wal`), freeBytes };
  }
}
