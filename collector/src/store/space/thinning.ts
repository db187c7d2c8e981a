import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { STALE_MARKER, toStoredValue, type StoredValue } from '@thugshells/shared/metrics/sample-value.ts';

/** A range of ids, both included, in which every row is pending. */
export interface PendingSlice {
  readonly firstId: number;
  readonly lastId: number;
}

/** One level at which pending rows are thinned or dropped. */
interface ThinningLevel {
  /** Milliseconds of which one sample of a series is kept, and where it ends that too; 0: none is kept. */
  readonly bucketMs: number;
  /** How many of the newest rows this level keeps whole, as a multiple of the rows that fit. */
  readonly spared: number;
}

/** Half of the space keeps samples at full resolution; thinned samples in the other half cover many times as much time. */
const LEVELS: readonly ThinningLevel[] = [
  { bucketMs: 60_000, spared: 0.5 },
  { bucketMs: 300_000, spared: 1.5 },
  { bucketMs: 3_600_000, spared: 4 },
  { bucketMs: 0, spared: 0 },
];
/** Size of a numeric row with its index entry. Texts are larger, so a database with many of them is thinned a little earlier. */
const BYTES_PER_ROW = 48;
/** The end of a series takes the place of no value, and no value that of the end. */
const END = toStoredValue(STALE_MARKER);
/** Rows of one slice: deleted within milliseconds, so that no scrape is delayed. */
const SLICE_ROWS = 3_600;

/** One step of a sweep: thins rows of one priority in a range of pending ids. */
export interface ThinningStep extends PendingSlice {
  readonly priority: number;
  readonly bucketMs: number;
}

/**
 * Decides which pending rows are evicted next: thinned before dropped, the lowest priority first, the oldest first.
 * Each level sweeps over the ids once; the table `thinning` has the last id of each sweep.
 */
export class Thinning {
  readonly #priorities: Statement<[], number>;
  readonly #through: Statement<[number, number], number>;
  readonly #saveThrough: Statement<[number, number, number]>;
  readonly #ranges: Statement<[], [number, number]>;
  readonly #first: Statement<[number, number], number>;
  readonly #slice: Statement<[number, number, number], [number | null, number | null]>;
  readonly #keep: Statement<[ThinningStep & { readonly end: StoredValue }]>;
  readonly #delete: Statement<[number, number]>;
  readonly #restore: Statement<[]>;
  readonly #forget: Statement<[]>;
  readonly #capacityRows: number;

  /** @param usedBytes maximum of the used pages */
  constructor(database: Database, usedBytes: number) {
    this.#capacityRows = usedBytes / BYTES_PER_ROW;
    this.#priorities = database.prepare<[], number>('SELECT DISTINCT priority FROM series ORDER BY priority').pluck();
    this.#through = database
      .prepare<[number, number], number>('SELECT through_id FROM thinning WHERE priority = ? AND bucket_ms = ?')
      .pluck();
    this.#saveThrough = database.prepare(
      'INSERT OR REPLACE INTO thinning (priority, bucket_ms, through_id) VALUES (?, ?, ?)',
    );
    this.#ranges = database
      .prepare<[], [number, number]>('SELECT first_id, last_id FROM pending_ranges ORDER BY first_id')
      .raw();
    this.#first = database
      .prepare<[number, number], number>('SELECT MIN(id) FROM samples WHERE id BETWEEN ? AND ?')
      .pluck();
    this.#slice = database
      .prepare<[number, number, number], [number | null, number | null]>(
        'SELECT MIN(id), MAX(id) FROM (SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)',
      )
      .raw();
    database.exec('CREATE TEMP TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, series_id, timestamp_ms, value)');
    this.#keep = database.prepare(
      `INSERT INTO kept SELECT id, series_id, timestamp_ms, value FROM (
         SELECT m.*, s.priority,
           row_number() OVER (PARTITION BY m.series_id, m.timestamp_ms / CAST(MAX(@bucketMs, 1) AS INTEGER), m.value IS @end ORDER BY m.id) AS place
         FROM samples AS m JOIN series AS s ON s.id = m.series_id WHERE m.id BETWEEN @firstId AND @lastId)
       WHERE priority <> @priority OR (@bucketMs > 0 AND place = 1)`,
    );
    this.#delete = database.prepare('DELETE FROM samples WHERE id BETWEEN ? AND ?');
    this.#restore = database.prepare(
      'INSERT INTO samples (id, series_id, timestamp_ms, value) SELECT * FROM kept ORDER BY id',
    );
    this.#forget = database.prepare('DELETE FROM kept');
  }

  /** Returns the next step; undefined when no pending row is left. */
  findNext(): ThinningStep | undefined {
    const ranges = this.#ranges.all();
    const first = this.#findFirstRow(ranges);
    const last = ranges.at(-1)?.[1] ?? 0;
    if (first === undefined) return undefined;
    for (const priority of this.#priorities.all()) {
      for (const { bucketMs, spared } of LEVELS) {
        const through = this.#through.get(priority, bucketMs) ?? 0;
        const slice = this.#findSlice(
          ranges,
          Math.max(through + 1, first),
          last - Math.floor(spared * this.#capacityRows),
        );
        if (slice !== undefined) return { ...slice, priority, bucketMs };
      }
    }
    return undefined;
  }

  /** Returns the first existing row: deleted rows leave gaps, and whole ranges may be empty. */
  #findFirstRow(ranges: readonly [number, number][]): number | undefined {
    for (const range of ranges) {
      const first = this.#first.get(...range) ?? undefined;
      if (first !== undefined) return first;
    }
    return undefined;
  }

  #findSlice(ranges: readonly [number, number][], fromId: number, limit: number): PendingSlice | undefined {
    for (const [first, last] of ranges) {
      const [firstId, lastId] = this.#slice.get(Math.max(first, fromId), Math.min(last, limit), SLICE_ROWS)!;
      if (firstId !== null && lastId !== null) return { firstId, lastId };
    }
    return undefined;
  }

  /**
   * Applies a step, in the caller's transaction; returns the number of deleted rows. Rows that stay are deleted and
   * inserted again: SQLite would not merge half-empty pages, so deleting single rows frees no space.
   */
  apply(step: ThinningStep): number {
    const { priority, bucketMs, firstId, lastId } = step;
    this.#saveThrough.run(priority, bucketMs, lastId);
    this.#keep.run({ ...step, end: END });
    const deleted = this.#delete.run(firstId, lastId).changes;
    const restored = this.#restore.run().changes;
    this.#forget.run();
    return deleted - restored;
  }
}
