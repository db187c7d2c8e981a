import type { Database, Statement } from '@thugshells/shared/database/open.js';

/** A run of ids in which no row is settled. */
export interface PendingSlice {
  readonly firstId: number;
  readonly lastId: number;
}

/** One degree of giving up pending rows. */
interface Level {
  /** One sample of a series in each of these is kept; 0: none is. */
  readonly bucketMs: number;
  /** It goes over this share of the pending rows, from the oldest on: the newest keep their full resolution. */
  readonly share: number;
}

/**
 * Steps of more than three: a page of which less than a third is left is joined with its neighbours, one that is half
 * full stays, and nothing would be won.
 */
const LEVELS: readonly Level[] = [
  { bucketMs: 120_000, share: 3 / 4 },
  { bucketMs: 600_000, share: 1 / 2 },
  { bucketMs: 3_600_000, share: 1 / 4 },
  { bucketMs: 0, share: 1 },
];
/** A slice is deleted in some milliseconds, so that no scrape waits for it. */
const SLICE_ROWS = 3_600;

/** What a step of a sweep would take: rows of one priority in a run of pending ids. */
export interface ThinningStep extends PendingSlice {
  readonly priority: number;
  readonly bucketMs: number;
}

/**
 * Which pending rows are given up next: thinned before they are dropped, the lowest priority before others, the oldest
 * before newer ones. Each level sweeps over the ids once; a table remembers how far it has come.
 */
export class Thinning {
  readonly #priorities: Statement<[], number>;
  readonly #through: Statement<[number, number], number>;
  readonly #saveThrough: Statement<[number, number, number]>;
  readonly #ranges: Statement<[], [number, number]>;
  readonly #first: Statement<[number, number], number>;
  readonly #slice: Statement<[number, number, number], [number | null, number | null]>;
  readonly #thin: Statement<[ThinningStep]>;
  readonly #drop: Statement<[ThinningStep]>;

  constructor(database: Database) {
    this.#priorities = database.prepare<[], number>('SELECT DISTINCT priority FROM series ORDER BY priority').pluck();
    this.#through = database.prepare<[number, number], number>('SELECT through_id FROM thinning WHERE priority = ? AND bucket_ms = ?').pluck();
    this.#saveThrough = database.prepare('INSERT OR REPLACE INTO thinning (priority, bucket_ms, through_id) VALUES (?, ?, ?)');
    this.#ranges = database.prepare<[], [number, number]>('SELECT first_id, last_id FROM pending_ranges ORDER BY first_id').raw();
    this.#first = database.prepare<[number, number], number>('SELECT MIN(id) FROM samples WHERE id BETWEEN ? AND ?').pluck();
    this.#slice = database
      .prepare<[number, number, number], [number | null, number | null]>(
        'SELECT MIN(id), MAX(id) FROM (SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)',
      )
      .raw();
    this.#thin = database.prepare(
      `DELETE FROM samples WHERE id IN (
         SELECT id FROM (
           SELECT m.id, row_number() OVER (PARTITION BY m.series_id, m.timestamp_ms / CAST(@bucketMs AS INTEGER) ORDER BY m.id) AS place
           FROM samples AS m JOIN series AS s ON s.id = m.series_id
           WHERE m.id BETWEEN @firstId AND @lastId AND s.priority = @priority)
         WHERE place > 1)`,
    );
    this.#drop = database.prepare(
      `DELETE FROM samples WHERE id BETWEEN @firstId AND @lastId
         AND series_id IN (SELECT id FROM series WHERE priority = @priority)`,
    );
  }

  /** The next step; undefined where no pending row is left. */
  next(): ThinningStep | undefined {
    const ranges = this.#ranges.all();
    const first = this.#firstRow(ranges);
    const last = ranges.at(-1)?.[1] ?? 0;
    if (first === undefined) return undefined;
    const priorities = this.#priorities.all();
    for (const { bucketMs, share } of LEVELS) {
      const limit = first + Math.floor((last - first) * share);
      for (const priority of priorities) {
        const through = this.#through.get(priority, bucketMs) ?? 0;
        const slice = this.#nextSlice(ranges, Math.max(through + 1, first), limit);
        if (slice !== undefined) return { ...slice, priority, bucketMs };
      }
    }
    return undefined;
  }

  /** Rows that were deleted leave holes, also whole ranges of them. */
  #firstRow(ranges: readonly [number, number][]): number | undefined {
    for (const range of ranges) {
      const first = this.#first.get(...range) ?? undefined;
      if (first !== undefined) return first;
    }
    return undefined;
  }

  #nextSlice(ranges: readonly [number, number][], fromId: number, limit: number): PendingSlice | undefined {
    for (const [first, last] of ranges) {
      const [firstId, lastId] = this.#slice.get(Math.max(first, fromId), Math.min(last, limit), SLICE_ROWS)!;
      if (firstId !== null && lastId !== null) return { firstId, lastId };
    }
    return undefined;
  }

  /** Takes a step; returns how many rows are gone. */
  take(step: ThinningStep): number {
    this.#saveThrough.run(step.priority, step.bucketMs, step.lastId);
    return (step.bucketMs > 0 ? this.#thin : this.#drop).run(step).changes;
  }
}
