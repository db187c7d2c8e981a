import { correctedTimeSql, EpochRanges, NEWEST_OFFSET_SQL } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { SettledRanges } from './settled-ranges.ts';

/** How many rows are in which state; collected = delivered + pending + rejected + dropped. */
export interface Books {
  readonly collected: number;
  readonly delivered: number;
  readonly pending: number;
  readonly rejected: number;
  readonly dropped: number;
}

/** The rows not yet uploaded: the gaps in the settled ids. What it costs to find them does not depend on how many rows there are. */
export class Backlog {
  readonly #database: Database;
  readonly #settled: SettledRanges;
  readonly #lastId: Statement<[], number>;
  readonly #lastIdBefore: Statement<[number], number>;
  readonly #epochs: EpochRanges;
  readonly #first: Statement<[number, number], number>;
  readonly #oldest: Statement<[number, number], number>;
  readonly #books: Statement<[], Books>;

  constructor(database: Database, settled: SettledRanges) {
    this.#database = database;
    this.#settled = settled;
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#lastIdBefore = database
      .prepare<[number], number>(
        `SELECT id FROM samples
         WHERE timestamp_ms < ? - ${NEWEST_OFFSET_SQL}
         ORDER BY timestamp_ms DESC LIMIT 1`,
      )
      .pluck();
    this.#epochs = new EpochRanges(database);
    this.#first = database
      .prepare<[number, number], number>('SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1')
      .pluck();
    this.#oldest = database
      .prepare<[number, number], number>(
        `SELECT ${correctedTimeSql()} FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1`,
      )
      .pluck();
    this.#books = database.prepare(
      `SELECT collected, delivered, collected - delivered - rejected - dropped AS pending, rejected, dropped
       FROM collector_state, uploader_state`,
    );
  }

  /**
   * Where the rows that may be sent are, oldest first: ranges that begin with such a row, and may hold ids of rows that
   * were deleted.
   *
   * @param taken ids that are settled but not committed yet, or on their way
   * @param above only rows with higher ids than this
   */
  findSendable(taken: readonly IdRange[], above = 0): IdRange[] {
    return this.#database.transaction(() => {
      return subtract(this.#gaps(above), taken).flatMap(([gapFirst, last]): IdRange[] => {
        const first = this.#first.get(gapFirst, last);
        return first === undefined ? [] : [[first, last]];
      });
    })();
  }

  /** The highest id that was ever given to a row. */
  readLastId(): number {
    return this.#lastId.get() ?? 0;
  }

  /** The highest id of a row that was stored before a time, by the newest epoch. */
  findLastIdBefore(timestampMs: number): number {
    return this.#lastIdBefore.get(timestampMs) ?? 0;
  }

  /** Unix milliseconds of the oldest pending row, held ones included; undefined where nothing is pending. */
  findOldestPendingMs(): number | undefined {
    for (const gap of subtract([[1, this.readLastId()]], this.#settled.readRanges())) {
      const oldest = this.#oldest.get(...gap);
      if (oldest !== undefined) return oldest;
    }
    return undefined;
  }

  /** The books as they stand; costs the same whatever the backlog. */
  readBooks(): Books {
    return this.#books.get()!;
  }

  /** Ids that are neither settled nor held. */
  #gaps(above: number): IdRange[] {
    return subtract(subtract([[above + 1, this.readLastId()]], this.#settled.readRanges()), this.#held());
  }

  /** Ids of epochs whose true time is not known: they have never been offered to a receiver. */
  #held(): IdRange[] {
    return this.#epochs.all().flatMap(({ firstId, lastId, isTrusted }) => (isTrusted ? [] : [[firstId, lastId]]));
  }
}
