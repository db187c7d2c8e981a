import type { Database, Statement } from '@thugshells/shared/database/open.js';

import { subtract, type IdRange } from './id-ranges.js';
import type { Settled } from './settled.js';

/** Rows for one upload pass, named by their ids alone. */
export interface Batch {
  readonly ranges: readonly IdRange[];
  readonly count: number;
}

/** How many rows are in which state; collected = delivered + pending + rejected + dropped. */
export interface Books {
  readonly collected: number;
  readonly delivered: number;
  readonly pending: number;
  readonly rejected: number;
  readonly dropped: number;
}

/** The rows not yet uploaded: reads batches from the first gap in the settled ids on. */
export class Backlog {
  readonly #database: Database;
  readonly #settled: Settled;
  readonly #lastId: Statement<[], number>;
  readonly #lastIdBefore: Statement<[number], number>;
  readonly #epochs: Statement<[], { first_id: number; trusted: number }>;
  readonly #slice: Statement<[number, number, number], { count: number; first: number; last: number }>;
  readonly #oldest: Statement<[number, number], number>;
  readonly #books: Statement<[], Books>;

  constructor(database: Database, settled: Settled) {
    this.#database = database;
    this.#settled = settled;
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#lastIdBefore = database
      .prepare<[number], number>(
        `SELECT id FROM samples
         WHERE timestamp_ms < ? - (SELECT offset_ms FROM epochs ORDER BY first_id DESC LIMIT 1)
         ORDER BY timestamp_ms DESC LIMIT 1`,
      )
      .pluck();
    this.#epochs = database.prepare('SELECT first_id, trusted FROM clock_epochs ORDER BY first_id');
    this.#slice = database.prepare(
      `SELECT COUNT(*) AS count, MIN(id) AS first, MAX(id) AS last
       FROM (SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)`,
    );
    this.#oldest = database
      .prepare<[number, number], number>(
        `SELECT timestamp_ms
           + (SELECT offset_ms FROM epochs WHERE first_id <= samples.id ORDER BY first_id DESC LIMIT 1)
         FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1`,
      )
      .pluck();
    this.#books = database.prepare(
      `SELECT collected, delivered, collected - delivered - rejected - dropped AS pending, rejected, dropped
       FROM collector_state, uploader_state`,
    );
  }

  /**
   * The oldest rows that may be sent, at most `limit` of them.
   *
   * @param taken ids that are settled but not committed yet, or on their way
   * @param above only rows with higher ids than this
   * @returns undefined where there is nothing to send
   */
  next(limit: number, taken: readonly IdRange[], above = 0): Batch | undefined {
    return this.#database.transaction(() => this.#read(limit, taken, above))();
  }

  /** The highest id that was ever given to a row. */
  lastId(): number {
    return this.#lastId.get() ?? 0;
  }

  /** The highest id of a row that was stored before a time, by the newest epoch. */
  lastIdBefore(timestampMs: number): number {
    return this.#lastIdBefore.get(timestampMs) ?? 0;
  }

  #read(limit: number, taken: readonly IdRange[], above: number): Batch | undefined {
    const ranges: IdRange[] = [];
    let count = 0;
    for (const gap of subtract(this.#gaps(above), taken)) {
      const slice = this.#slice.get(...gap, limit - count);
      if (slice === undefined || slice.count === 0) continue;
      ranges.push([slice.first, slice.last]);
      count += slice.count;
      if (count >= limit) break;
    }
    return count === 0 ? undefined : { ranges, count };
  }

  /** Unix milliseconds of the oldest pending row, held ones included; undefined where nothing is pending. */
  oldestPendingMs(): number | undefined {
    for (const gap of subtract([[1, this.lastId()]], this.#settled.ranges())) {
      const oldest = this.#oldest.get(...gap);
      if (oldest !== undefined) return oldest;
    }
    return undefined;
  }

  /** The books as they stand; costs the same whatever the backlog. */
  books(): Books {
    return this.#books.get()!;
  }

  /** Ids that are neither settled nor held. */
  #gaps(above: number): IdRange[] {
    return subtract(subtract([[above + 1, this.lastId()]], this.#settled.ranges()), this.#held());
  }

  /** Ids of epochs whose true time is not known: they have never been offered to a receiver. */
  #held(): IdRange[] {
    const epochs = this.#epochs.all();
    return epochs.flatMap(({ first_id: first, trusted }, index): IdRange[] => {
      const next = epochs[index + 1]?.first_id ?? Number.MAX_SAFE_INTEGER;
      return trusted === 1 ? [] : [[first, next - 1]];
    });
  }
}
