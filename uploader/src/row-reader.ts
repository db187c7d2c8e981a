import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.js';
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS, type Labels } from '@thugshells/shared/sample.js';

import type { IdRange } from './id-ranges.js';

/**
 * The samples of one series that share a line of one chunk, their numbers as text: SQLite groups and prints them in a
 * quarter of the time that it takes to hand over a row for each.
 */
export interface Group {
  /** Place of the chunk in the batch, from 0. */
  readonly chunk: number;
  readonly seriesId: number;
  /** The one text that all samples have; undefined for numbers. */
  readonly text: string | undefined;
  readonly count: number;
  /** Joined by commas; real numbers with 15 digits, as SQLite prints them. */
  readonly values: string;
  /** True times in Unix milliseconds, joined by commas. */
  readonly timestamps: string;
  /** Joined by commas. */
  readonly ids: string;
}

/** A row that cannot be sent as it is stored. */
export interface UnsoundRow {
  readonly id: number;
  /** With its epoch's offset, where it is a number. */
  readonly timestampMs: unknown;
  readonly value: unknown;
}

/** What the encoder needs to know of a series. */
export interface SeriesRow {
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: number;
}

/** Which rows, and up to which time they are sound. */
export interface Selection {
  readonly ranges: readonly IdRange[];
  readonly latestMs: number;
}

type StoredGroup = readonly [number, number, string | null, number, string, string, string];
type StoredPlainGroup = readonly [seriesId: number, count: number, values: string | null, timestamps: string | null, ids: string, isPlain: number];

interface PlainSelection {
  /** Bound as an integer: the sum is printed as one. */
  readonly offset: bigint;
  readonly latest: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Groups without a condition on each row, for batches that are one chunk: it takes half the time. Whether every row is
 * a finite number at a sound time shows in the counts, in the bounds (SQLite orders texts and blobs above all numbers),
 * and in the printed times.
 */
const PLAIN_GROUPS = `SELECT series_id, COUNT(*), group_concat(value), group_concat(timestamp_ms + @offset), group_concat(id),
    COUNT(value) = COUNT(*) AND typeof(MAX(value)) IN ('integer', 'real')
      AND MIN(value) >= -${Number.MAX_VALUE} AND MAX(value) <= ${Number.MAX_VALUE}
      AND MIN(timestamp_ms) + @offset >= ${MIN_TIMESTAMP_MS} AND MAX(timestamp_ms) + @offset <= MIN(${MAX_TIMESTAMP_MS}, @latest)
  FROM (SELECT id, series_id, timestamp_ms, value FROM samples WHERE id BETWEEN @first AND @last ORDER BY series_id, id)
  GROUP BY series_id`;
const WHOLE_NUMBERS = /^[,\d]+$/;

/** Each range with the offset of its epoch. */
const WITH_RANGES = `WITH range (first_id, last_id, offset_ms) AS (
  SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)
)`;
const SELECTED = 'range CROSS JOIN samples ON samples.id BETWEEN range.first_id AND range.last_id';
/** Numbers that are finite, or texts, at a time that the receiver keeps. */
const SOUND = `typeof(timestamp_ms) = 'integer'
  AND timestamp_ms + offset_ms BETWEEN ${MIN_TIMESTAMP_MS} AND MIN(${MAX_TIMESTAMP_MS}, ?)
  AND (typeof(value) IN ('integer', 'text') OR (typeof(value) = 'real' AND abs(value) <= ${Number.MAX_VALUE}))`;
/** The order of a body: by series and time; equal texts of a series share a line. */
const BODY_ORDER = `series_id, IIF(typeof(value) = 'text', value, NULL), id`;

function groupsSql(chunk: string): string {
  return `${WITH_RANGES}
    SELECT chunk, series_id, text, COUNT(*), group_concat(number), group_concat(time), group_concat(id)
    FROM (
      SELECT ${chunk} AS chunk, id, series_id, timestamp_ms + offset_ms AS time,
        IIF(typeof(value) = 'text', value, NULL) AS text, IIF(typeof(value) = 'text', 1, value) AS number
      FROM ${SELECTED} WHERE ${SOUND} ORDER BY ${BODY_ORDER}
    )
    GROUP BY chunk, series_id, text`;
}

/** The encode worker's own, read-only look at the rows. */
export class RowReader {
  readonly #database: Database;
  readonly #plainGroups: Statement<[PlainSelection], StoredPlainGroup>;
  readonly #wholeGroups: Statement<[string, number], StoredGroup>;
  readonly #cutGroups: Statement<[string, bigint, number], StoredGroup>;
  readonly #unsound: Statement<[string, number], UnsoundRow>;
  readonly #epochs: Statement<[], [firstId: number, offsetMs: number]>;
  readonly #series: Statement<[number], { name: string; device_id: string; tags: string; value_type: number }>;

  constructor(databasePath: string) {
    const database = openDatabase(databasePath, { readonly: true });
    this.#database = database;
    this.#plainGroups = database.prepare<[PlainSelection], StoredPlainGroup>(PLAIN_GROUPS).raw();
    this.#wholeGroups = database.prepare<[string, number], StoredGroup>(groupsSql('0')).raw();
    this.#cutGroups = database
      .prepare<[string, bigint, number], StoredGroup>(groupsSql(`(row_number() OVER (ORDER BY ${BODY_ORDER}) - 1) / ?`))
      .raw();
    this.#unsound = database.prepare(
      `${WITH_RANGES}
       SELECT id, value, IIF(typeof(timestamp_ms) = 'integer', timestamp_ms + offset_ms, timestamp_ms) AS timestampMs
       FROM ${SELECTED} WHERE NOT (${SOUND}) ORDER BY id`,
    );
    this.#epochs = database.prepare<[], [number, number]>('SELECT first_id, offset_ms FROM epochs ORDER BY first_id').raw();
    this.#series = database.prepare('SELECT name, device_id, tags, value_type FROM series WHERE id = ?');
  }

  /** Runs something that sees one state of the database. */
  inSnapshot<T>(read: () => T): T {
    return this.#database.transaction(read)();
  }

  /** All rows as the lines of one chunk; undefined where one of them is not a sound number, which groups() sorts out. */
  plainGroups({ ranges, latestMs }: Selection): Group[] | undefined {
    const groups: Group[] = [];
    for (const [first, last, offsetMs] of this.#withOffsets(ranges)) {
      for (const [seriesId, count, values, timestamps, ids, isPlain] of this.#plainGroups.iterate({ offset: BigInt(offsetMs), latest: latestMs, first, last })) {
        if (isPlain === 0 || values === null || timestamps === null) return undefined;
        if (!WHOLE_NUMBERS.test(timestamps)) return undefined;
        groups.push({ chunk: 0, seriesId, text: undefined, count, values, timestamps, ids });
      }
    }
    return groups;
  }

  /** The sound rows as lines, in body order. @param chunkMetrics samples in a chunk; undefined for one chunk of all */
  groups({ ranges, latestMs }: Selection, chunkMetrics: number | undefined): Group[] {
    const selected = JSON.stringify(this.#withOffsets(ranges));
    const rows =
      chunkMetrics === undefined
        ? this.#wholeGroups.all(selected, latestMs)
        : this.#cutGroups.all(selected, BigInt(chunkMetrics), latestMs);
    return rows.map(([chunk, seriesId, text, count, values, timestamps, ids]) => ({
      ...{ chunk, seriesId, text: text ?? undefined, count },
      ...{ values, timestamps, ids },
    }));
  }

  /** The other rows, which no receiver would keep. */
  unsound({ ranges, latestMs }: Selection): UnsoundRow[] {
    return this.#unsound.all(JSON.stringify(this.#withOffsets(ranges)), latestMs);
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
  #withOffsets(ranges: readonly IdRange[]): [firstId: number, lastId: number, offsetMs: number][] {
    const epochs = this.#epochs.all();
    return ranges.flatMap(([first, last]) =>
      epochs.flatMap(([epochFirst, offsetMs], index): [number, number, number][] => {
        const from = Math.max(first, epochFirst);
        const to = Math.min(last, (epochs[index + 1]?.[0] ?? Infinity) - 1);
        return from <= to ? [[from, to, offsetMs]] : [];
      }),
    );
  }
}
