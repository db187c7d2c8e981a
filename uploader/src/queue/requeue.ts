import { correctedTimeSql, EpochRanges, type EpochRange } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { Trust } from '@thugshells/shared/state/epoch-trust.ts';
import { toRanges } from '@thugshells/shared/database/id-ranges.ts';

import { RowsByTime } from './rows-by-time.ts';
import { UNTIMED_REASON } from './untimed-rows.ts';
import type { SettledRanges } from './settled-ranges.ts';

/** A range of corrected times, both ends included. */
export interface TimeRange {
  /** Unix milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Maximum rows per transaction: the collector, which writes meanwhile, waits for one at most. */
const SLICE_ROWS = 10_000;

/** Makes rows pending again that are delivered (for a receiver that lost data) or in quarantine, if they still exist. */
export class Requeue {
  readonly #database: Database;
  readonly #settled: SettledRanges;
  readonly #epochs: EpochRanges;
  readonly #rows: RowsByTime;
  readonly #quarantined: Statement<[number, number], number>;
  readonly #hasRowBetween: Statement<[number, number, number, number], number>;
  readonly #correct: Statement<[number, number]>;
  readonly #untimedRows: Statement<[number, number, string], number>;

  constructor(database: Database, settled: SettledRanges) {
    this.#database = database;
    this.#settled = settled;
    this.#epochs = new EpochRanges(database);
    this.#rows = new RowsByTime(database, SLICE_ROWS);
    this.#quarantined = database
      .prepare<[number, number], number>(
        `SELECT id FROM rejected JOIN samples USING (id)
         WHERE ${correctedTimeSql()} BETWEEN ? AND ?
         ORDER BY id`,
      )
      .pluck();
    // The plus makes SQLite search by id and not by time: an epoch is a small part of the table.
    this.#hasRowBetween = database
      .prepare<[number, number, number, number], number>(
        'SELECT EXISTS (SELECT 1 FROM samples WHERE id BETWEEN ? AND ? AND +timestamp_ms BETWEEN ? AND ?)',
      )
      .pluck();
    this.#correct = database.prepare(
      `UPDATE epochs SET offset_ms = offset_ms + ?, trusted = ${Trust.confirmed}, lost = 0, reason = reason || '; corrected by hand' WHERE first_id = ?`,
    );
    this.#untimedRows = database
      .prepare<[number, number, string], number>('SELECT id FROM rejected WHERE id BETWEEN ? AND ? AND reason = ?')
      .pluck();
  }

  /** Requeues delivered rows; returns how many. */
  requeueDelivered({ fromMs, toMs }: TimeRange): number {
    let requeued = 0;
    for (const page of this.#rows.pages({ afterMs: fromMs - 1, throughMs: toMs }))
      requeued += this.#requeue(page.map(({ id }) => id));
    return requeued;
  }

  /** Requeues delivered rows by their ids, in any order; returns how many. */
  requeueIds(ids: readonly number[]): number {
    let requeued = 0;
    for (let at = 0; at < ids.length; at += SLICE_ROWS) requeued += this.#requeue(ids.slice(at, at + SLICE_ROWS));
    return requeued;
  }

  /** Requeues rows in quarantine; returns how many. */
  requeueQuarantined({ fromMs, toMs }: TimeRange): number {
    return this.#database
      .transaction(() => this.#settled.requeueRejected(this.#quarantined.all(fromMs, toMs)))
      .immediate();
  }

  /**
   * Requeues rows that are in quarantine because the clock of their boot was never right. Whole epochs that have a row in
   * the range get `offsetMs` added to their times. Returns how many rows became pending.
   */
  requeueUntimed({ fromMs, toMs }: TimeRange, offsetMs: number): number {
    const correct = this.#database.transaction(() => {
      let requeued = 0;
      for (const { firstId, lastId } of this.#findLostEpochs({ fromMs, toMs })) {
        this.#correct.run(offsetMs, firstId);
        requeued += this.#settled.requeueRejected(this.#untimedRows.all(firstId, lastId, UNTIMED_REASON));
      }
      return requeued;
    });
    return correct.immediate();
  }

  /** Finds the lost epochs that have a sample with a corrected time in the range. */
  #findLostEpochs({ fromMs, toMs }: TimeRange): EpochRange[] {
    return this.#epochs
      .all()
      .filter(
        ({ firstId, lastId, offsetMs, isLost }) =>
          isLost && this.#hasRowBetween.get(firstId, lastId, fromMs - offsetMs, toMs - offsetMs) === 1,
      );
  }

  #requeue(ids: readonly number[]): number {
    return this.#database.transaction(() => this.#settled.requeueDelivered(toRanges(ids))).immediate();
  }
}
