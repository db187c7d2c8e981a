import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { Journal } from '@thugshells/shared/logging/journal.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import { readJournal, type StoredJournalEntry } from '@thugshells/shared/state/journal-row.ts';
import { StoredValues } from '@thugshells/shared/state/stored-values.ts';

export interface JournalTableOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly logger: Logger;
  readonly journal: Journal;
}

/** Each row that is written delays the next ones by so much: warnings that differ each time cost at most 10 rows a minute. */
const PAUSE_PER_ROW_MS = 6_000;

/** Keeps the table `journal` as the journal of this process is, which goes on from the one of the process before. */
export class JournalTable {
  readonly #database: Database;
  readonly #options: JournalTableOptions;
  readonly #insert: Statement;
  readonly #deleteOthers: Statement<[string]>;
  /** The id of the newest entry that is in the table, */
  #savedId: number;
  /** and of the one that is there if the transaction of the last save is rolled back. */
  #committedId: number;
  /** By the monotonic clock. */
  #dueAt = -Infinity;

  constructor(database: Database, options: JournalTableOptions) {
    this.#database = database;
    this.#options = options;
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO journal (id, since, at, level, message, fields, times) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#deleteOthers = database.prepare('DELETE FROM journal WHERE id NOT IN (SELECT value FROM json_each(?))');
    const stored = this.#read();
    // A database that is opened later may be a copy or a new one: it gets all entries.
    this.#savedId = options.journal.restore(stored) ? (stored.at(-1)?.id ?? 0) : 0;
    this.#committedId = this.#savedId;
  }

  /** Saves what is new, now and then, in the caller's transaction. */
  save(): void {
    this.#committedId = this.#savedId;
    if (this.#options.clock.monotonic() >= this.#dueAt) this.saveAll();
  }

  /** Saves what is new, in the caller's transaction. */
  saveAll(): void {
    const { clock, journal } = this.#options;
    if (journal.lastId <= this.#savedId) return;
    const { entries } = journal;
    this.#deleteOthers.run(JSON.stringify(entries.map(({ id }) => id)));
    const changed = entries.filter(({ id }) => id > this.#savedId);
    for (const { id, sinceMs, atMs, level, message, fields, times } of changed)
      this.#insert.run(id, sinceMs, atMs, level, message, JSON.stringify(fields), times);
    this.#savedId = journal.lastId;
    this.#dueAt = clock.monotonic() + changed.length * PAUSE_PER_ROW_MS;
  }

  /** Saves what is new in a transaction of its own, for the end of the process. */
  saveNow(): void {
    this.#database.transaction(() => this.saveAll()).immediate();
  }

  /** Forgets what the last save has written: its transaction was rolled back. */
  forget(): void {
    this.#savedId = this.#committedId;
    this.#dueAt = -Infinity;
  }

  #read() {
    const rows = this.#database
      .prepare<[], StoredJournalEntry>(
        'SELECT id, since AS sinceMs, at AS atMs, level, message, fields, times FROM journal ORDER BY id',
      )
      .all();
    return readJournal(rows, new StoredValues('journal', this.#options.logger));
  }
}
