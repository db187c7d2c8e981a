import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { Sample } from '@thugshells/shared/metrics/sample.ts';
import { toStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';
import type { CollectorStatus } from '@thugshells/shared/state/collector-status.ts';

import type { ClockEpochs } from '../clock/clock-epochs.ts';
import type { CollectorStatusTable } from '../status/collector-status.ts';
import type { JournalTable } from '../status/journal-table.ts';
import type { StoredName } from './admission.ts';
import { FamilyTable } from './family-table.ts';
import type { Ledger, Loss } from '../space/ledger.ts';
import type { BufferedScrape } from './scrape-buffer.ts';
import { SeriesTable } from './series-table.ts';
import { StartTable, type StartScrape } from './start-table.ts';
import { StoredTimes } from './stored-times.ts';

export interface SampleWriterOptions {
  readonly clock: Clock;
  readonly epochs: ClockEpochs;
  readonly ledger: Ledger;
  readonly statuses: CollectorStatusTable;
  readonly journal: Pick<JournalTable, 'save' | 'forget'>;
  /** One commit in each interval is fsynced; a power cut loses at most this much. */
  readonly syncIntervalMs: number;
}

/** A sample with the id of its series and its stored time. */
interface InsertedRow {
  readonly seriesId: number;
  readonly storedMs: number;
  readonly value: SampleValue;
  readonly createdMs: number | undefined;
}

/** Stores scrapes: stamps them and commits them in one transaction, with the books and the status of their collectors. */
export class SampleWriter {
  readonly #database: Database;
  readonly #options: SampleWriterOptions;
  readonly #series: SeriesTable;
  readonly #families: FamilyTable;
  readonly #times: StoredTimes;
  readonly #starts: StartTable;
  readonly #insertSample: Statement;
  readonly #lastId: Statement<[], number>;
  readonly #updateBooks: Statement;
  #syncedAt = -Infinity;
  #isFull: boolean | undefined;

  constructor(database: Database, options: SampleWriterOptions) {
    this.#database = database;
    this.#options = options;
    this.#series = new SeriesTable(database);
    this.#families = new FamilyTable(database, options.clock);
    this.#starts = new StartTable(database);
    this.#times = new StoredTimes(options.epochs.newestBeforeMs);
    // A sample with a time of its own may have been imported meanwhile.
    this.#insertSample = database.prepare(
      'INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, ?) ON CONFLICT (timestamp_ms, series_id) DO NOTHING',
    );
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#updateBooks = database.prepare(
      'UPDATE collector_state SET last_id = ?, collected = collected + ?, heartbeat = IFNULL(?, heartbeat)',
    );
  }

  /**
   * Stores scrapes, oldest first, and books what was dropped from the buffer before it could be stored.
   *
   * @throws SqliteError when the database cannot be written; nothing is stored then
   */
  commit(scrapes: readonly BufferedScrape[], loss?: Loss): void {
    const { clock, epochs, journal, syncIntervalMs } = this.#options;
    const startedAt = clock.monotonic();
    const full = startedAt - this.#syncedAt >= syncIntervalMs;
    this.#setSynchronous(full);
    for (const scrape of scrapes) scrape.moment ??= epochs.toMoment(scrape.at);
    try {
      this.#database.transaction(() => this.#write(scrapes, loss)).immediate();
      this.#times.keep();
      if (scrapes.length > 0) this.#options.statuses.endExpected();
      if (full) this.#syncedAt = startedAt;
    } catch (error) {
      // What the transaction created was rolled back with it.
      this.#series.forget();
      this.#families.forget();
      journal.forget();
      this.#times.forget();
      this.#starts.forget();
      epochs.forget();
      throw error;
    }
  }

  /** Returns the names of all stored series. */
  readNames(): StoredName[] {
    return this.#series.readNames();
  }

  /** Sets whether commits are fsynced. SQLite accepts the setting only outside a transaction, and keeps it. */
  #setSynchronous(full: boolean): void {
    if (full === this.#isFull) return;
    this.#database.pragma(`synchronous = ${full ? 'FULL' : 'NORMAL'}`);
    this.#isFull = full;
  }

  #write(scrapes: readonly BufferedScrape[], loss: Loss | undefined): void {
    const { ledger, statuses, journal, clock } = this.#options;
    journal.save();
    const firstId = (this.#lastId.get() ?? 0) + 1;
    let nextId = firstId;
    let heartbeatMs: number | null = null;
    for (const { at, moment, samples } of scrapes) {
      nextId = this.#insert(samples, { at, moment: moment!, firstId: nextId });
      heartbeatMs = moment!.correctedMs;
    }
    this.#starts.prune();
    if (loss !== undefined) ledger.add(loss, clock.now());
    const collected = nextId - firstId + (loss?.count ?? 0);
    this.#updateBooks.run(nextId - 1, collected, heartbeatMs);
    const newest = new Map(
      scrapes.map(({ status, moment }): [string, CollectorStatus] => [
        status.collector,
        { ...status, lastScrapeMs: moment!.correctedMs },
      ]),
    );
    if (heartbeatMs !== null) statuses.saveExpected(heartbeatMs);
    for (const status of newest.values()) statuses.save(status);
  }

  /**
   * Inserts in the order of time, so that the last row of a scrape has its time, and of the series, so that rows that are
   * settled together have adjacent ids; returns the next id.
   */
  #insert(samples: readonly Sample[], scrape: StartScrape): number {
    const { moment, firstId } = scrape;
    const rows = samples
      .map((sample): InsertedRow => {
        const { value, createdMs, ageMs } = sample;
        const seriesId = this.#series.findId(sample);
        return { seriesId, storedMs: this.#times.find(seriesId, moment.storedMs, ageMs), value, createdMs };
      })
      .sort((a, b) => a.storedMs - b.storedMs || a.seriesId - b.seriesId);
    if (rows.length > 0) this.#options.epochs.record(moment, firstId);
    for (const sample of samples) this.#families.record(sample);
    let id = firstId;
    for (const { seriesId, storedMs, value, createdMs } of rows) {
      this.#starts.record(seriesId, createdMs, scrape);
      id += this.#insertSample.run(id, seriesId, storedMs, toStoredValue(value)).changes;
    }
    return id;
  }
}
