import { EpochRanges, NEWEST_OFFSET_SQL, offsetSql } from '@thugshells/shared/database/epochs.ts';
import { requireRow, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { MAX_SAMPLE_AGE_MS } from '@thugshells/shared/metrics/sample.ts';

import type { SettledRanges } from './settled-ranges.ts';

/** How many rows are in each state; collected = delivered + pending + rejected + dropped. */
export interface Books {
  readonly collected: number;
  readonly delivered: number;
  readonly pending: number;
  readonly rejected: number;
  readonly dropped: number;
}

/** Rows in the order of time in which the first by id is searched: many more than come with times of their own at once. */
const SEARCHED_ROWS = 1_000;

/**
 * Reads the pending rows: those whose ids lie in the gaps between the settled ranges. The cost of finding them does not
 * depend on how many rows there are.
 */
export class Backlog {
  readonly #database: Database;
  readonly #settled: SettledRanges;
  readonly #lastId: Statement<[], number>;
  readonly #firstIdFrom: Statement<[number], number | null>;
  readonly #epochs: EpochRanges;
  readonly #first: Statement<[number, number], number>;
  readonly #oldest: Statement<[number, number], number>;
  readonly #books: Statement<[], Books>;

  constructor(database: Database, settled: SettledRanges) {
    this.#database = database;
    this.#settled = settled;
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#firstIdFrom = database
      .prepare<[number], number | null>(
        `SELECT MIN(id) FROM (SELECT id FROM samples WHERE timestamp_ms >= ? - ${NEWEST_OFFSET_SQL}
         ORDER BY timestamp_ms LIMIT ${SEARCHED_ROWS})`,
      )
      .pluck();
    this.#epochs = new EpochRanges(database);
    this.#first = database
      .prepare<[number, number], number>('SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1')
      .pluck();
    this.#oldest = database
      .prepare<[number, number], number>(
        `SELECT MAX(timestamp_ms, MIN(timestamp_ms + ${MAX_SAMPLE_AGE_MS}, IFNULL(
           (SELECT timestamp_ms FROM samples AS earlier WHERE earlier.id < samples.id ORDER BY earlier.id DESC LIMIT 1), 0)))
           + ${offsetSql('samples.id')}
         FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1`,
      )
      .pluck();
    this.#books = database.prepare(
      `SELECT collected, delivered, collected - delivered - rejected - dropped AS pending, rejected, dropped
       FROM collector_state, uploader_state`,
    );
  }

  /**
   * Finds the pending rows that may be sent, oldest first. Each range begins with an existing row and may contain ids of
   * deleted ones.
   *
   * @param excluded ids that are settled but not committed yet, or in flight
   * @param above only rows with higher ids than this
   */
  findSendable(excluded: readonly IdRange[], above = 0): IdRange[] {
    return this.#database.transaction(() => this.#beginWithRows(subtract(this.#findGaps(above), excluded)))();
  }

  /** Finds the pending rows in some ranges, which are ascending and disjoint. */
  findPendingIn(ranges: readonly IdRange[]): IdRange[] {
    return this.#database.transaction(() => this.#beginWithRows(subtract(ranges, this.#settled.readRanges())))();
  }

  /** Returns the highest id that a row ever had. */
  readLastId(): number {
    return this.#lastId.get() ?? 0;
  }

  /**
   * Finds the highest id of a row that was stored before a time, by the offset of the newest epoch; 0 if there is none. Rows
   * with a time of their own stand among later ones, and never among earlier ones: so the first row from that time on decides.
   */
  findLastIdBefore(timestampMs: number): number {
    const firstId = this.#firstIdFrom.get(timestampMs) ?? undefined;
    return firstId === undefined ? this.readLastId() : firstId - 1;
  }

  /**
   * Returns the corrected time from which on rows are pending in Unix milliseconds, held ones included; undefined if none is
   * pending. A row with a time of its own is pending since its scrape, which was after the row before, and within an hour.
   */
  findOldestPendingMs(): number | undefined {
    for (const gap of subtract([[1, this.readLastId()]], this.#settled.readRanges())) {
      const oldest = this.#oldest.get(...gap);
      if (oldest !== undefined) return oldest;
    }
    return undefined;
  }

  /** Reads the books; the cost does not depend on the number of rows. */
  readBooks(): Books {
    return requireRow(this.#books.get(), 'collector_state or uploader_state');
  }

  /** Leaves out ranges without rows, and makes the others begin with one. */
  #beginWithRows(ranges: readonly IdRange[]): IdRange[] {
    return ranges.flatMap(([from, last]): IdRange[] => {
      const first = this.#first.get(from, last);
      return first === undefined ? [] : [[first, last]];
    });
  }

  /** Finds the ids that are neither settled nor held. */
  #findGaps(above: number): IdRange[] {
    return subtract(subtract([[above + 1, this.readLastId()]], this.#settled.readRanges()), this.#findHeld());
  }

  /** Finds the ids of epochs whose offset is not trusted: their rows are held until it is. */
  #findHeld(): IdRange[] {
    return this.#epochs.all().flatMap(({ firstId, lastId, isTrusted }) => (isTrusted ? [] : [[firstId, lastId]]));
  }
}
