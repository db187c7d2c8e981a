import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import {
  createCounters,
  createFirstStatus,
  readCounters,
  type CollectorCounters,
  type CollectorStatus,
  type StoredCollectorStatus,
} from '@thugshells/shared/state/collector-status.ts';
import { StoredValues } from '@thugshells/shared/state/stored-values.ts';

/** A collector that runs. */
export interface ExpectedCollector {
  readonly name: string;
  readonly intervalMs: number;
}

/** Writes the table `collector_status`, from which the uploader reports the collectors' state. */
export class CollectorStatusTable {
  readonly #save: Statement;
  readonly #saveNew: Statement;
  readonly #find: Statement<[string], Pick<StoredCollectorStatus, keyof CollectorCounters>>;
  readonly #database: Database;
  readonly #values: StoredValues;
  /** Collectors that run, until it is known that each has a row. */
  #expected: readonly ExpectedCollector[] = [];

  constructor(database: Database, logger: Logger = silentLogger) {
    this.#database = database;
    this.#values = new StoredValues('collector_status', logger);
    // Not REPLACE: it gives the row another id, which writes a page of the index too with every scrape.
    const insert = `INSERT INTO collector_status
       (collector, status, message, since, interval_ms, last_scrape, duration_ms, collected, failed, durations)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    this.#saveNew = database.prepare(`${insert} ON CONFLICT (collector) DO NOTHING`);
    this.#save = database.prepare(
      `${insert}
       ON CONFLICT (collector) DO UPDATE SET status = excluded.status, message = excluded.message, since = excluded.since,
         interval_ms = excluded.interval_ms, last_scrape = excluded.last_scrape, duration_ms = excluded.duration_ms,
         collected = excluded.collected, failed = excluded.failed, durations = excluded.durations`,
    );
    this.#find = database.prepare('SELECT collected, failed, durations FROM collector_status WHERE collector = ?');
  }

  /** Deletes the rows of collectors that do not run any more. */
  keepOnly(collectors: readonly string[]): void {
    this.#database
      .prepare('DELETE FROM collector_status WHERE collector NOT IN (SELECT value FROM json_each(?))')
      .run(JSON.stringify(collectors));
  }

  /** Returns a collector's counters at the end of the last process. */
  findCounters(collector: string): CollectorCounters {
    const row = this.#find.get(collector);
    return row === undefined ? createCounters() : readCounters({ collector, ...row }, this.#values);
  }

  /** Remembers which collectors run: the next commit gives each a row, so that health names one whose first scrape never ends. */
  expect(collectors: readonly ExpectedCollector[]): void {
    this.#expected = collectors;
  }

  /** Saves a row for each collector that is expected and has none; called within a transaction. */
  saveExpected(nowMs: number): void {
    for (const { name, intervalMs } of this.#expected)
      this.#saveNew.run(...toColumns(createFirstStatus(name, intervalMs, nowMs)));
  }

  /** Each collector that is expected has a row: the transaction has been committed. */
  endExpected(): void {
    this.#expected = [];
  }

  save(row: CollectorStatus): void {
    this.#save.run(...toColumns(row));
  }
}

function toColumns(row: CollectorStatus): unknown[] {
  return [
    row.collector,
    row.status,
    row.message,
    row.sinceMs,
    row.intervalMs,
    row.lastScrapeMs,
    row.durationMs,
    row.collected,
    row.failed,
    JSON.stringify(row.durations),
  ];
}
