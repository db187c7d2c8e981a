import { EpochRanges, splitByEpoch, type RangeWithOffset } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { merge, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { seriesKey, type Labels } from '@thugshells/shared/metrics/sample.ts';
import { SPECIAL_VALUES } from '@thugshells/shared/metrics/sample-value.ts';
import { METRIC_TYPES, type MetricFamily } from '@thugshells/shared/metrics/series.ts';
import { isCount, isOneOf, isText, isTextByName, parseStored } from '@thugshells/shared/state/stored-values.ts';

import { preparePendingRowsVersion, type PendingRowsVersion } from '../../queue/pending-rows-version.ts';
import { StartTimes } from './start-times.ts';

/**
 * Rows in the order of their ids, their numbers printed by SQLite and joined by commas. So they pass from the table to a
 * body as bytes: converting them to JavaScript values and back to text takes four times as long.
 */
export interface PrintedRows {
  readonly count: number;
  readonly firstId: number;
  /** Undefined if they count up from the first without a gap, as they do unless rows were deleted. */
  readonly ids: Uint8Array | undefined;
  readonly seriesIds: Uint8Array;
  /** Corrected times in Unix milliseconds. */
  readonly timestamps: Uint8Array;
  /** Special values as they are stored, eight bytes each. */
  readonly values: Uint8Array;
}

/** The first rows of some ranges. */
export interface FirstRows {
  /** Their ids; ids of deleted rows may lie between. */
  readonly ranges: readonly IdRange[];
  /** Undefined if a value is neither a number nor a special one, or a time no integer; rows() returns such rows. */
  readonly printed: readonly PrintedRows[] | undefined;
}

/** One row, which may hold a value or a time of any type. */
export interface SampleRow {
  readonly id: number;
  readonly seriesId: unknown;
  /** With its epoch's offset added, if it is an integer. */
  readonly timestampMs: unknown;
  readonly value: unknown;
  /** The value as SQLite prints it, also integers that a JavaScript number cannot hold. */
  readonly printedValue: string;
}

/** The columns of a series that the encoder uses. */
export interface SeriesRow {
  readonly id: number;
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: number;
}

/** The same as SQLite returns it: each column but the id may hold a value of any type. */
interface StoredSeries {
  readonly id: number;
  readonly key: unknown;
  readonly name: unknown;
  readonly deviceId: unknown;
  readonly tags: unknown;
  readonly valueType: unknown;
}

/** A series, or the id of one whose row is unreadable. */
export type SeriesRead = SeriesRow | { readonly id: number; readonly name?: undefined };

type StoredBytes = Uint8Array | null;
type StoredColumns = readonly [
  count: number,
  seriesIds: StoredBytes,
  timestamps: StoredBytes,
  values: StoredBytes,
  areNumbers: number,
  valueType: string,
];

interface Bounds {
  readonly first: number;
  readonly last: number;
  /** Bound as an integer: the sum is printed as one. */
  readonly offset: bigint;
}

/**
 * SQLite sorts texts after all numbers and blobs after all texts, so the type of the greatest one shows whether there are any. A
 * blob is joined as its bytes.
 */
const PRINTED = `SELECT COUNT(*),
    CAST(group_concat(series_id) AS BLOB), CAST(group_concat(timestamp_ms + @offset) AS BLOB), CAST(group_concat(value) AS BLOB),
    COUNT(value) = COUNT(*) AND typeof(MAX(timestamp_ms)) = 'integer' AND typeof(MAX(series_id)) = 'integer', typeof(MAX(value))
  FROM samples WHERE id BETWEEN @first AND @last`;

/** Reads the rows of batches. */
export class RowReader {
  readonly startTimes: StartTimes;
  readonly #database: Database;
  readonly #printed: Statement<[Bounds], StoredColumns>;
  readonly #hasOther: Statement<unknown[], number>;
  readonly #first: Statement<[number, number], number>;
  readonly #ids: Statement<[number, number], StoredBytes>;
  readonly #rows: Statement<[Bounds], SampleRow>;
  readonly #pendingRowsVersion: () => PendingRowsVersion;
  readonly #epochs: EpochRanges;
  readonly #series: Statement<[number], StoredSeries>;
  readonly #seriesCopy: Statement<[number], StoredSeries>;
  readonly #families: Statement<[], { readonly [Column in keyof MetricFamily]: unknown }>;

  constructor(database: Database) {
    this.#database = database;
    this.startTimes = new StartTimes(database);
    this.#printed = database.prepare<[Bounds], StoredColumns>(PRINTED).raw();
    this.#hasOther = database
      .prepare<unknown[], number>(
        `SELECT EXISTS (SELECT 1 FROM samples WHERE id BETWEEN ? AND ? AND (typeof(value) = 'text'
           OR typeof(value) = 'blob' AND value NOT IN (${SPECIAL_VALUES.map(() => '?').join()})))`,
      )
      .pluck();
    this.#first = database
      .prepare<[number, number], number>('SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1')
      .pluck();
    this.#ids = database
      .prepare<[number, number], StoredBytes>(
        'SELECT CAST(group_concat(id) AS BLOB) FROM samples WHERE id BETWEEN ? AND ?',
      )
      .pluck();
    this.#rows = database.prepare(
      `SELECT id, series_id AS seriesId, IIF(typeof(timestamp_ms) = 'integer', timestamp_ms + @offset, timestamp_ms) AS timestampMs,
         value, CAST(value AS TEXT) AS printedValue
       FROM samples WHERE id BETWEEN @first AND @last ORDER BY id`,
    );
    this.#pendingRowsVersion = preparePendingRowsVersion(database);
    this.#epochs = new EpochRanges(database);
    const columns = 'id, key, name, device_id AS deviceId, tags, value_type AS valueType';
    this.#series = database.prepare(`SELECT ${columns} FROM series WHERE id >= ?`);
    this.#seriesCopy = database.prepare(`SELECT ${columns} FROM series_copy WHERE id = ?`);
    this.#families = database.prepare('SELECT name, type, help, unit FROM metric_families');
  }

  /** Runs `read` in one transaction, so that all its statements see the same state of the database. */
  inSnapshot<T>(read: () => T): T {
    return this.#database.transaction(read)();
  }

  /** Reads the first `limit` rows in some ranges, each row once: no query counts them first. */
  firstRows(ranges: readonly IdRange[], limit: number): FirstRows {
    const read: IdRange[] = [];
    const printed: (PrintedRows | undefined)[] = [];
    let missing = limit;
    for (const [first, last] of ranges) {
      for (
        let from = this.#first.get(first, last);
        from !== undefined && missing > 0;
        from = this.#first.get(read.at(-1)![1] + 1, last)
      ) {
        // As many ids as rows are missing: they hold at most as many rows.
        const range: IdRange = [from, Math.min(last, from + missing - 1)];
        read.push(range);
        for (const part of splitByEpoch([range], this.#epochs.all())) {
          const { count, rows } = this.#print(part);
          missing -= count;
          printed.push(rows);
        }
      }
      if (missing === 0) break;
    }
    const arePrinted = (rows: readonly (PrintedRows | undefined)[]): rows is PrintedRows[] => !rows.includes(undefined);
    return { ranges: merge(read), printed: arePrinted(printed) ? printed : undefined };
  }

  /** Reads all rows in some ranges, one by one. */
  rows(ranges: readonly IdRange[]): SampleRow[] {
    return splitByEpoch(ranges, this.#epochs.all()).flatMap(({ firstId, lastId, offsetMs }) =>
      this.#rows.all({ first: firstId, last: lastId, offset: BigInt(offsetMs) }),
    );
  }

  /** Returns the version of the pending rows as this snapshot has them. */
  readPendingRowsVersion(): PendingRowsVersion {
    return this.#pendingRowsVersion();
  }

  /** Reads the series from an id on, one by one: there may be many thousands. */
  *seriesFrom(firstId: number): Generator<SeriesRead> {
    for (const stored of this.#series.iterate(firstId)) yield toSeriesRow(stored) ?? this.copiedSeries(stored.id);
  }

  /** Reads the copy of a series whose own row is unreadable or missing. It is believed only if it has the series' key. */
  copiedSeries(id: number): SeriesRead {
    const stored = this.#seriesCopy.get(id);
    const row = stored && toSeriesRow(stored);
    if (row === undefined || !isText(stored?.tags) || !Buffer.isBuffer(stored.key)) return { id };
    return stored.key.equals(seriesKey(row.name, row.deviceId, stored.tags, row.valueType)) ? row : { id };
  }

  /** Reads the metric families by name, without those that are unreadable: samples are complete without them. */
  families(): Map<string, MetricFamily> {
    return new Map(
      this.#families.all().flatMap((stored) => (isFamily(stored) ? [[stored.name, stored] as const] : [])),
    );
  }

  #print({ firstId, lastId, offsetMs }: RangeWithOffset): {
    readonly count: number;
    readonly rows: PrintedRows | undefined;
  } {
    const [count, seriesIds, timestamps, values, areNumbers, valueType] = this.#printed.get({
      first: firstId,
      last: lastId,
      offset: BigInt(offsetMs),
    })!;
    if (areNumbers !== 1 || seriesIds === null || timestamps === null || values === null)
      return { count, rows: undefined };
    if (!this.#areValues(firstId, lastId, valueType)) return { count, rows: undefined };
    const ids = count === lastId - firstId + 1 ? undefined : this.#ids.get(firstId, lastId)!;
    return { count, rows: { count, firstId, ids, seriesIds, timestamps, values } };
  }

  /** Whether all values of a range are numbers or special ones. @param greatestType the type of the greatest one */
  #areValues(firstId: number, lastId: number, greatestType: string): boolean {
    if (greatestType !== 'blob') return greatestType !== 'text';
    return this.#hasOther.get(firstId, lastId, ...SPECIAL_VALUES) === 0;
  }
}

const isMetricType = isOneOf(METRIC_TYPES);

function isFamily(stored: { readonly [Column in keyof MetricFamily]: unknown }): stored is MetricFamily {
  return isText(stored.name) && isMetricType(stored.type) && isText(stored.help) && isText(stored.unit);
}

/** Returns undefined if it is unreadable. */
function toSeriesRow({ id, name, deviceId, tags, valueType }: StoredSeries): SeriesRow | undefined {
  const labels = parseStored(tags, isTextByName);
  if (labels === undefined || !isText(name) || !isText(deviceId) || !isCount(valueType)) return undefined;
  return { id, name, deviceId, tags: labels, valueType };
}
