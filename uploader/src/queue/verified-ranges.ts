import { merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';

import type { TimeSlice } from './rows-by-time.ts';

/**
 * What is known of delivered rows: judged, and not compared again; or missing and sent again so many times; or missing after
 * that too.
 */
export const VerifiedState = { judged: 0, missingAgain: 5 } as const;
/** How many times a missing row is sent again: a receiver that is killed again and again may lose it again. */
export const SENT_AGAIN = [1, 2, 3, 4] as const;
export type VerifiedState = (typeof VerifiedState)[keyof typeof VerifiedState] | (typeof SENT_AGAIN)[number];

/** How many samples the receiver had in a range of times. */
export interface ReceiverTotal {
  readonly slice: TimeSlice;
  readonly samples: number;
}

/**
 * Keeps which delivered rows were compared with the receiver, as ranges of ids. Every method works within the caller's
 * transaction. Rows that become pending again are not judged any more (SettledRanges).
 */
export class VerifiedRanges {
  readonly #read: Statement<[number], IdRange>;
  readonly #insert: Statement<[number, number, number]>;
  readonly #delete: Statement<[number, number]>;
  readonly #clear: Statement<[number]>;
  readonly #isRowWithin: Statement<[number, number], number>;
  readonly #total: Statement<[], [afterMs: number, throughMs: number, samples: number]>;
  readonly #saveTotal: Statement<[number, number, number]>;
  readonly #forgetTotal: Statement<[]>;

  constructor(database: Database) {
    this.#read = database
      .prepare<[number], IdRange>('SELECT first_id, last_id FROM verified_ranges WHERE state = ? ORDER BY first_id')
      .raw();
    this.#insert = database.prepare('INSERT INTO verified_ranges (state, first_id, last_id) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM verified_ranges WHERE state = ? AND first_id = ?');
    this.#clear = database.prepare('DELETE FROM verified_ranges WHERE state = ?');
    this.#isRowWithin = database
      .prepare<[number, number], number>('SELECT 1 FROM samples WHERE id BETWEEN ? AND ? LIMIT 1')
      .pluck();
    this.#total = database
      .prepare<[], [number, number, number]>('SELECT after_ms, through_ms, samples FROM verified_total')
      .raw();
    this.#saveTotal = database.prepare(
      'INSERT OR REPLACE INTO verified_total (one, after_ms, through_ms, samples) VALUES (1, ?, ?, ?)',
    );
    this.#forgetTotal = database.prepare('DELETE FROM verified_total');
  }

  /** Returns the ranges of a state, ascending. */
  read(state: VerifiedState): IdRange[] {
    return this.#read.all(state);
  }

  /** Returns the ranges that were sent again and are not judged yet, ascending. */
  readSentAgain(): IdRange[] {
    return merge(SENT_AGAIN.flatMap((state) => this.read(state)));
  }

  /** Adds ranges to a state. Ranges between which no row lies are joined: thinning leaves one row in ten. */
  add(state: VerifiedState, ranges: readonly IdRange[]): void {
    if (ranges.length === 0) return;
    const before = this.read(state);
    const joined = this.#joinOverHoles(merge([...before, ...ranges]), merge(ranges));
    this.#write(state, before, joined);
  }

  /** Removes ranges from a state. */
  remove(state: VerifiedState, ranges: readonly IdRange[]): void {
    if (ranges.length === 0) return;
    const before = this.read(state);
    this.#write(state, before, subtract(before, merge(ranges)));
  }

  /** Forgets what was judged: everything delivered is compared again. */
  forgetJudged(): void {
    this.#clear.run(VerifiedState.judged);
    this.#forgetTotal.run();
  }

  /** Returns the total that was saved last; undefined if there is none to compare with. */
  readTotal(): ReceiverTotal | undefined {
    const row = this.#total.get();
    return row && { slice: { afterMs: row[0], throughMs: row[1] }, samples: row[2] };
  }

  saveTotal({ slice, samples }: ReceiverTotal): void {
    this.#saveTotal.run(slice.afterMs, slice.throughMs, samples);
  }

  /** Looks for holes only around what was added. */
  #joinOverHoles(all: readonly IdRange[], added: readonly IdRange[]): IdRange[] {
    const [from, to] = [added[0]![0], added.at(-1)![1]];
    const joined: [number, number][] = [];
    for (const [first, last] of all) {
      const previous = joined.at(-1);
      const isNear = previous !== undefined && first >= from && previous[1] <= to;
      if (isNear && this.#isRowWithin.get(previous[1] + 1, first - 1) === undefined) previous[1] = last;
      else joined.push([first, last]);
    }
    return joined;
  }

  /** Writes what differs alone: of one series that the receiver drops, each sample is a range. */
  #write(state: VerifiedState, before: readonly IdRange[], next: readonly IdRange[]): void {
    const kept = new Map(next);
    for (const [first, last] of before)
      if (kept.get(first) === last) kept.delete(first);
      else this.#delete.run(state, first);
    for (const [first, last] of kept) this.#insert.run(state, first, last);
  }
}
