import type { Clock } from '@thugshells/shared/clock.js';
import type { Database, Statement } from '@thugshells/shared/database/open.js';
import { canonicalTags, refusalOf, sampleOf, seriesKey, type Labels, type Reading, type Sample } from '@thugshells/shared/sample.js';
import { seriesName } from '@thugshells/shared/json-lines.js';

import type { ClockEpochs, Moment } from './clock-epochs.js';

/** What one write did. */
export interface WriteResult {
  readonly stored: number;
  /** Why each of the other readings was not stored. */
  readonly refusals: readonly string[];
}

export interface SampleWriterOptions {
  readonly deviceId: string;
  /** On every sample, besides its own labels. */
  readonly labels: Labels;
  readonly clock: Clock;
  readonly epochs: ClockEpochs;
  /** One commit in each is forced to the disk; a power cut loses at most this much. */
  readonly syncIntervalMs: number;
}

/** A sample on its way into the table. */
interface Row {
  readonly seriesId: number;
  readonly value: number | string;
}

/**
 * Stores the readings of one scrape: stamps them, refuses what could never be delivered, and commits the rest in one
 * transaction together with the books.
 */
export class SampleWriter {
  readonly #database: Database;
  readonly #options: SampleWriterOptions;
  readonly #series: SeriesTable;
  readonly #insertSample: Statement;
  readonly #lastId: Statement<[], number>;
  readonly #updateBooks: Statement;
  #syncedAt = -Infinity;

  constructor(database: Database, options: SampleWriterOptions) {
    this.#database = database;
    this.#options = options;
    this.#series = new SeriesTable(database);
    this.#insertSample = database.prepare(
      'INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, ?)',
    );
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#updateBooks = database.prepare(
      'UPDATE collector_state SET last_id = last_id + ?, collected = collected + ?, heartbeat = ?',
    );
  }

  /**
   * Stores the readings of one scrape; `alongside` runs in the same transaction.
   *
   * @throws SqliteError where the database cannot be written; nothing is stored then
   */
  write(moment: Moment, readings: readonly Reading[], alongside: (result: WriteResult) => void): WriteResult {
    const startedAt = this.#options.clock.monotonic();
    const full = startedAt - this.#syncedAt >= this.#options.syncIntervalMs;
    // SQLite takes the setting outside a transaction only.
    this.#database.pragma(`synchronous = ${full ? 'FULL' : 'NORMAL'}`);
    try {
      const result = this.#database.transaction(() => {
        const { rows, refusals } = this.#rowsOf(moment, readings);
        this.#insert(moment, rows);
        const result = { stored: rows.length, refusals };
        alongside(result);
        return result;
      }).immediate();
      if (full) this.#syncedAt = startedAt;
      return result;
    } catch (error) {
      // Series and epochs that the transaction made went with it.
      this.#series.forget();
      this.#options.epochs.forget();
      throw error;
    }
  }

  #insert(moment: Moment, rows: readonly Row[]): void {
    const lastId = this.#lastId.get() ?? 0;
    if (rows.length > 0) this.#options.epochs.record(moment, lastId + 1);
    rows.forEach((row, index) => {
      this.#insertSample.run(lastId + 1 + index, row.seriesId, moment.storedMs, storable(row.value));
    });
    this.#updateBooks.run(rows.length, rows.length, moment.trueMs);
  }

  /** In series order, so that what an upload settles stays a few long ranges of ids. */
  #rowsOf(moment: Moment, readings: readonly Reading[]): { rows: Row[]; refusals: string[] } {
    const { deviceId, labels } = this.#options;
    const rows = new Map<number, Row>();
    const refusals: string[] = [];
    for (const reading of readings) {
      const sample = sampleOf(reading, { deviceId, labels, timestampMs: moment.storedMs });
      const refusal = refusalOf(sample) ?? this.#series.refusalOf(sample);
      const seriesId = refusal === undefined ? this.#series.idOf(sample) : undefined;
      if (seriesId === undefined) refusals.push(`${sample.name}: ${refusal}`);
      else if (rows.has(seriesId)) refusals.push(`${sample.name}: twice in one scrape`);
      else rows.set(seriesId, { seriesId, value: sample.value });
    }
    return { rows: [...rows.values()].sort((a, b) => a.seriesId - b.seriesId), refusals };
  }
}

/** Bound as a float an integer takes eight bytes in the row; as an integer, as few as it needs. */
function storable(value: number | string): number | bigint | string {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** The ids of series, and the names that have left the board so far. */
class SeriesTable {
  readonly #find: Statement<[Buffer], number>;
  readonly #insert: Statement;
  readonly #names: Statement<[], Pick<Sample, 'name' | 'valueType'>>;
  readonly #ids = new Map<string, number>();
  /** Exported name → stored name. */
  readonly #storedNames = new Map<string, string>();

  constructor(database: Database) {
    this.#find = database.prepare<[Buffer], number>('SELECT id FROM series WHERE key = ?').pluck();
    this.#insert = database.prepare(
      'INSERT INTO series (key, name, tags, device_id, value_type, priority) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#names = database.prepare('SELECT DISTINCT name, value_type AS valueType FROM series');
    this.forget();
  }

  forget(): void {
    this.#ids.clear();
    this.#storedNames.clear();
    for (const each of this.#names.all()) this.#storedNames.set(seriesName(each), each.name);
  }

  /** Two stored names that would leave as one would mix their values. */
  refusalOf(sample: Sample): string | undefined {
    const other = this.#storedNames.get(seriesName(sample));
    return other === undefined || other === sample.name ? undefined : `would be exported as ${other} is`;
  }

  idOf(sample: Sample): number {
    const canonical = canonicalTags(sample.tags);
    const cacheKey = JSON.stringify([sample.name, canonical, sample.valueType]);
    const cached = this.#ids.get(cacheKey);
    if (cached !== undefined) return cached;
    const key = seriesKey(sample.name, sample.deviceId, canonical, sample.valueType);
    const id = this.#find.get(key) ?? this.#create(key, canonical, sample);
    this.#ids.set(cacheKey, id);
    this.#storedNames.set(seriesName(sample), sample.name);
    return id;
  }

  #create(key: Buffer, canonical: string, sample: Sample): number {
    const { name, deviceId, valueType, priority } = sample;
    return Number(this.#insert.run(key, name, canonical, deviceId, valueType, priority).lastInsertRowid);
  }
}
