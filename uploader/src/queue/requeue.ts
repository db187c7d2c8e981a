import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { rangesOf } from '@thugshells/shared/database/id-ranges.ts';

import { LOST_REASON } from './untimed-rows.ts';
import type { Settled } from './settled-ranges.ts';

/** Which samples are to be sent again, by their true times, both included. */
export interface TimeRange {
  /** Unix milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A stretch of ids in which stored and true time differ by one offset. */
interface Epoch {
  readonly firstId: number;
  readonly lastId: number;
  readonly offsetMs: number;
}

type Cursor = readonly [timestampMs: number, seriesId: number];

/** Rows in one transaction: the collector, which writes meanwhile, waits no longer than that takes. */
const SLICE_ROWS = 10_000;

/**
 * Makes delivered rows pending again, for a receiver that lost data. Only rows that still exist are; what is in
 * quarantine stays there, unless that is what is asked for.
 */
export class Requeue {
  readonly #database: Database;
  readonly #settled: Settled;
  readonly #epochs: Statement<[], Epoch>;
  readonly #rows: Statement<unknown[], [timestampMs: number, seriesId: number, id: number]>;
  readonly #quarantined: Statement<[number, number], number>;
  readonly #lostEpochs: Statement<[number, number], { firstId: number; lastId: number }>;
  readonly #correct: Statement<[number, number]>;
  readonly #lostRows: Statement<[number, number, string], number>;

  constructor(database: Database, settled: Settled) {
    this.#database = database;
    this.#settled = settled;
    this.#epochs = database.prepare(
      `SELECT first_id AS firstId, LEAD(first_id, 1, ${Number.MAX_SAFE_INTEGER}) OVER (ORDER BY first_id) - 1 AS lastId, offset_ms AS offsetMs
       FROM epochs ORDER BY first_id`,
    );
    this.#rows = database
      .prepare<unknown[], [number, number, number]>(
        `SELECT timestamp_ms, series_id, id FROM samples
         WHERE (timestamp_ms, series_id) > (?, ?) AND timestamp_ms <= ? AND id BETWEEN ? AND ?
         ORDER BY timestamp_ms, series_id LIMIT ${SLICE_ROWS}`,
      )
      .raw();
    this.#quarantined = database
      .prepare<[number, number], number>(
        `SELECT id FROM rejected JOIN samples USING (id)
         WHERE timestamp_ms + (SELECT offset_ms FROM epochs WHERE first_id <= samples.id ORDER BY first_id DESC LIMIT 1) BETWEEN ? AND ?
         ORDER BY id`,
      )
      .pluck();
    this.#lostEpochs = database.prepare(
      `SELECT firstId, lastId FROM (
         SELECT first_id AS firstId, LEAD(first_id, 1, ${Number.MAX_SAFE_INTEGER}) OVER (ORDER BY first_id) - 1 AS lastId, offset_ms, lost FROM epochs)
       WHERE lost AND EXISTS (SELECT 1 FROM samples WHERE id BETWEEN firstId AND lastId AND timestamp_ms + offset_ms BETWEEN ? AND ?)`,
    );
    this.#correct = database.prepare(
      `UPDATE epochs SET offset_ms = offset_ms + ?, trusted = 2, lost = 0, reason = reason || '; corrected by hand' WHERE first_id = ?`,
    );
    this.#lostRows = database
      .prepare<[number, number, string], number>('SELECT id FROM rejected WHERE id BETWEEN ? AND ? AND reason = ?')
      .pluck();
  }

  /** Delivered rows; returns how many became pending. */
  delivered({ fromMs, toMs }: TimeRange): number {
    let requeued = 0;
    for (const { firstId, lastId, offsetMs } of this.#epochs.all()) {
      let after: Cursor | undefined = [fromMs - offsetMs - 1, Number.MAX_SAFE_INTEGER];
      while (after !== undefined) {
        const slice = this.#rows.all(...after, toMs - offsetMs, firstId, lastId);
        requeued += this.#unsettle(slice.map(([, , id]) => id));
        after = slice.length < SLICE_ROWS ? undefined : [slice.at(-1)![0], slice.at(-1)![1]];
      }
    }
    return requeued;
  }

  /** Rows in quarantine; returns how many became pending. */
  quarantined({ fromMs, toMs }: TimeRange): number {
    return this.#database.transaction(() => this.#settled.takeBack(this.#quarantined.all(fromMs, toMs))).immediate();
  }

  /**
   * Rows of boots whose clock was never right, in quarantine since nobody knew their time: whole epochs that have a row
   * stamped within the range get `offsetMs` added to their stamps. Returns how many rows became pending.
   */
  corrected({ fromMs, toMs }: TimeRange, offsetMs: number): number {
    const correct = this.#database.transaction(() => {
      let requeued = 0;
      for (const { firstId, lastId } of this.#lostEpochs.all(fromMs, toMs)) {
        this.#correct.run(offsetMs, firstId);
        requeued += this.#settled.takeBack(this.#lostRows.all(firstId, lastId, LOST_REASON));
      }
      return requeued;
    });
    return correct.immediate();
  }

  #unsettle(ids: readonly number[]): number {
    return this.#database.transaction(() => this.#settled.unsettle(rangesOf(ids))).immediate();
  }
}
