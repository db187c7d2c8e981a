import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.js';
import type { Labels } from '@thugshells/shared/sample.js';

import type { IdRange } from './id-ranges.js';

/**
 * Rows in the order of their ids, their numbers printed by SQLite and joined by commas. In this form they pass from
 * the table to a body as bytes: to make JavaScript values of them, and text of those again, takes four times as long.
 */
export interface PrintedRows {
  readonly count: number;
  readonly firstId: number;
  /** Undefined where they count up from the first without a gap, as they do unless rows were deleted. */
  readonly ids: Uint8Array | undefined;
  readonly seriesIds: Uint8Array;
  /** True times in Unix milliseconds. */
  readonly timestamps: Uint8Array;
  readonly values: Uint8Array;
}

/** One row by itself, whatever it holds. */
export interface StoredRow {
  readonly id: number;
  readonly seriesId: number;
  /** With its epoch's offset, where it is a whole number. */
  readonly timestampMs: unknown;
  readonly value: unknown;
  /** The value as SQLite prints it, which keeps also whole numbers that JavaScript cannot hold. */
  readonly printedValue: string;
}

/** What the encoder needs to know of a series. */
export interface SeriesRow {
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: number;
}

type RangeWithOffset = readonly [firstId: number, lastId: number, offsetMs: number];
type StoredBytes = Uint8Array | null;
type StoredColumns = readonly [count: number, seriesIds: StoredBytes, timestamps: StoredBytes, values: StoredBytes, areNumbers: number];

interface Bounds {
  readonly first: number;
  readonly last: number;
  /** Bound as an integer: the sum is printed as one. */
  readonly offset: bigint;
}

/** Rows are read once, from one end to the other: SQLite's default of 16 MB would keep pages that nobody asks for again. */
const CACHE_KIB = 1024;

/** Texts and blobs stand above all numbers in SQLite's order, so the greatest value shows whether there are any. */
const PRINTED = `SELECT COUNT(*),
    CAST(group_concat(series_id) AS BLOB), CAST(group_concat(timestamp_ms + @offset) AS BLOB), CAST(group_concat(value) AS BLOB),
    typeof(MAX(value)) IN ('integer', 'real') AND COUNT(value) = COUNT(*) AND typeof(MAX(timestamp_ms)) = 'integer'
  FROM samples WHERE id BETWEEN @first AND @last`;

/** The encode worker's own, read-only look at the rows. */
export class RowReader {
  readonly #database: Database;
  readonly #printed: Statement<[Bounds], StoredColumns>;
  readonly #ids: Statement<[number, number], StoredBytes>;
  readonly #rows: Statement<[Bounds], StoredRow>;
  readonly #epochs: Statement<[], [firstId: number, offsetMs: number]>;
  readonly #series: Statement<[number], { name: string; device_id: string; tags: string; value_type: number }>;

  constructor(databasePath: string) {
    const database = openDatabase(databasePath, { readonly: true });
    database.pragma(`cache_size = -${CACHE_KIB}`);
    this.#database = database;
    this.#printed = database.prepare<[Bounds], StoredColumns>(PRINTED).raw();
    this.#ids = database
      .prepare<[number, number], StoredBytes>('SELECT CAST(group_concat(id) AS BLOB) FROM samples WHERE id BETWEEN ? AND ?')
      .pluck();
    this.#rows = database.prepare(
      `SELECT id, series_id AS seriesId, IIF(typeof(timestamp_ms) = 'integer', timestamp_ms + @offset, timestamp_ms) AS timestampMs,
         value, CAST(value AS TEXT) AS printedValue
       FROM samples WHERE id BETWEEN @first AND @last ORDER BY id`,
    );
    this.#epochs = database.prepare<[], [number, number]>('SELECT first_id, offset_ms FROM epochs ORDER BY first_id').raw();
    this.#series = database.prepare('SELECT name, device_id, tags, value_type FROM series WHERE id = ?');
  }

  /** Runs something that sees one state of the database. */
  inSnapshot<T>(read: () => T): T {
    return this.#database.transaction(read)();
  }

  /** The rows in some ranges; undefined where a value is no number or a time no whole one, which rows() shows. */
  printed(ranges: readonly IdRange[]): PrintedRows[] | undefined {
    const found: PrintedRows[] = [];
    for (const [first, last, offsetMs] of this.#withOffsets(ranges)) {
      const [count, seriesIds, timestamps, values, areNumbers] = this.#printed.get({ first, last, offset: BigInt(offsetMs) })!;
      if (count === 0) continue;
      if (areNumbers === 0 || seriesIds === null || timestamps === null || values === null) return undefined;
      const ids = count === last - first + 1 ? undefined : this.#ids.get(first, last)!;
      found.push({ count, firstId: first, ids, seriesIds, timestamps, values });
    }
    return found;
  }

  /** The same rows one by one. */
  rows(ranges: readonly IdRange[]): StoredRow[] {
    return this.#withOffsets(ranges).flatMap(([first, last, offsetMs]) => this.#rows.all({ first, last, offset: BigInt(offsetMs) }));
  }

  /** A series by its id. */
  series(id: number): SeriesRow {
    const row = this.#series.get(id);
    if (row === undefined) throw new Error(`sample of series ${id}, which does not exist`);
    const { name, device_id: deviceId, tags, value_type: valueType } = row;
    return { name, deviceId, tags: JSON.parse(tags) as Labels, valueType };
  }

  close(): void {
    this.#database.close();
  }

  /** The ranges, cut where epochs begin, each with its epoch's offset. */
  #withOffsets(ranges: readonly IdRange[]): RangeWithOffset[] {
    const epochs = this.#epochs.all();
    return ranges.flatMap(([first, last]) =>
      epochs.flatMap(([epochFirst, offsetMs], index): RangeWithOffset[] => {
        const from = Math.max(first, epochFirst);
        const to = Math.min(last, (epochs[index + 1]?.[0] ?? Infinity) - 1);
        return from <= to ? [[from, to, offsetMs]] : [];
      }),
    );
  }
}
