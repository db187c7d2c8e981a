import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { intersect, merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { preparePendingRowsVersion, type PendingRowsVersion } from './pending-rows-version.ts';

/** A row that will not be sent again, and why. */
export interface Rejection {
  readonly id: number;
  /** The receiver's HTTP status; undefined where the encoder refused the row. */
  readonly status?: number | undefined;
  readonly reason: string;
}

/** What a reader counted before some rows were sent. */
export interface CountedRows {
  readonly count: number;
  /** Read in the same snapshot. */
  readonly pendingRowsVersion: PendingRowsVersion;
}

/**
 * The set of settled ids (delivered or rejected) and the books' right side, which move together.
 *
 * Ids only grow, so the set is a handful of ranges, merged as they meet. Every method reads the set inside the
 * caller's transaction and counts only rows that exist: holes that retention left are neither delivered nor pending,
 * and no range ends at one, or thinning, which leaves one row in ten, would leave as many ranges as rows.
 */
export class SettledRanges {
  readonly #all: Statement<[], [number, number]>;
  readonly #before: Statement<[number], [number, number]>;
  readonly #after: Statement<[number], [number, number]>;
  readonly #within: Statement<[number, number], [number, number]>;
  readonly #isRowWithin: Statement<[number, number], number>;
  readonly #delete: Statement<[number, number]>;
  readonly #insert: Statement<[number, number]>;
  readonly #count: Statement<[number, number], number>;
  readonly #pendingRowsVersion: () => PendingRowsVersion;
  readonly #reject: Statement;
  readonly #forgive: Statement<[number]>;
  readonly #rejectedWithin: Statement<[number, number], number>;
  readonly #book: Statement<[number, number]>;

  constructor(database: Database) {
    this.#all = database.prepare<[], [number, number]>('SELECT first_id, last_id FROM settled ORDER BY first_id').raw();
    this.#before = database
      .prepare<[number], [number, number]>(
        'SELECT first_id, last_id FROM settled WHERE first_id <= ? ORDER BY first_id DESC LIMIT 1',
      )
      .raw();
    this.#after = database
      .prepare<[number], [number, number]>(
        'SELECT first_id, last_id FROM settled WHERE first_id > ? ORDER BY first_id LIMIT 1',
      )
      .raw();
    this.#within = database
      .prepare<[number, number], [number, number]>(
        'SELECT first_id, last_id FROM settled WHERE first_id BETWEEN ? AND ? ORDER BY first_id',
      )
      .raw();
    this.#isRowWithin = database
      .prepare<[number, number], number>('SELECT 1 FROM samples WHERE id BETWEEN ? AND ? LIMIT 1')
      .pluck();
    this.#delete = database.prepare('DELETE FROM settled WHERE first_id BETWEEN ? AND ?');
    this.#insert = database.prepare('INSERT INTO settled (first_id, last_id) VALUES (?, ?)');
    this.#count = database
      .prepare<[number, number], number>('SELECT COUNT(*) FROM samples WHERE id BETWEEN ? AND ?')
      .pluck();
    this.#pendingRowsVersion = preparePendingRowsVersion(database);
    this.#reject = database.prepare('INSERT OR REPLACE INTO rejected (id, status, reason) VALUES (?, ?, ?)');
    this.#forgive = database.prepare('DELETE FROM rejected WHERE id = ?');
    this.#rejectedWithin = database
      .prepare<[number, number], number>('SELECT id FROM rejected WHERE id BETWEEN ? AND ? ORDER BY id')
      .pluck();
    this.#book = database.prepare('UPDATE uploader_state SET delivered = delivered + ?, rejected = rejected + ?');
  }

  /** Every settled range, ascending. */
  readRanges(): IdRange[] {
    return this.#all.all();
  }

  /**
   * Settles rows as delivered; returns how many were pending until now.
   *
   * @param counted spares counting a large chunk's rows again, which takes longer than everything else here
   */
  deliver(ranges: readonly IdRange[], counted?: CountedRows): number {
    const isCurrent = counted !== undefined && counted.pendingRowsVersion === this.#pendingRowsVersion();
    const delivered = this.#settle(ranges, isCurrent ? counted.count : undefined);
    this.#book.run(delivered, 0);
    return delivered;
  }

  /** Settles rows as rejected, with their reasons; returns how many were pending until now. */
  reject(rejections: readonly Rejection[]): number {
    let rejected = 0;
    for (const { id, status, reason } of rejections) {
      const wasPending = this.#settle([[id, id]]);
      if (wasPending > 0) this.#reject.run(id, status ?? null, reason);
      rejected += wasPending;
    }
    this.#book.run(0, rejected);
    return rejected;
  }

  /** Makes delivered rows pending again; rejected ones stay. Returns how many rows that were. */
  requeueDelivered(ranges: readonly IdRange[]): number {
    let unsettled = 0;
    for (const range of merge(ranges)) {
      const overlapping = this.#touching(range);
      const rejected = this.#rejectedWithin.all(...range).map((id): IdRange => [id, id]);
      const freed = subtract(intersect([range], overlapping), rejected);
      this.#replace(overlapping, subtract(overlapping, freed));
      unsettled += this.#rowsIn(freed);
    }
    this.#book.run(-unsettled, 0);
    return unsettled;
  }

  /** Makes rejected rows that still exist pending again. Returns how many rows that were. */
  requeueRejected(ids: readonly number[]): number {
    const rejected = ids.filter((id) => this.#rejectedWithin.all(id, id).length > 0 && this.#rowsIn([[id, id]]) > 0);
    for (const id of rejected) {
      const around = this.#touching([id, id]);
      this.#replace(around, subtract(around, [[id, id]]));
      this.#forgive.run(id);
    }
    this.#book.run(0, -rejected.length);
    return rejected.length;
  }

  /** Makes one range of those between which no row exists any more. */
  compact(): void {
    let through = 0;
    for (const range of this.readRanges()) {
      if (range[1] > through) through = this.#joinOverHoles(range);
    }
  }

  /** @param rows how many rows the ranges hold, where that is known */
  #settle(ranges: readonly IdRange[], rows?: number): number {
    const whole = merge(ranges);
    const fresh = whole.map((range) => subtract([range], this.#touching(range)));
    const wereAllPending = fresh.every(
      (parts, index) => parts.length === 1 && lengthOf(parts[0]!) === lengthOf(whole[index]!),
    );
    const settled = rows !== undefined && wereAllPending ? rows : this.#rowsIn(fresh.flat());
    for (const range of whole) {
      const neighbours = this.#touching(range);
      const [joined] = merge([...neighbours, range]);
      this.#replace(neighbours, [joined!]);
      this.#joinOverHoles(joined!);
    }
    return settled;
  }

  /**
   * Joins a range with those around it as far as no row lies between; returns its last id. Each step takes a range away
   * for good, so that all of them together cost no more than the ranges did.
   */
  #joinOverHoles(range: IdRange): number {
    let [first, last] = range;
    for (
      let before = this.#before.get(first - 1);
      this.#isHole(before?.[1], first);
      before = this.#before.get(first - 1)
    )
      [first] = before!;
    for (let after = this.#after.get(last); this.#isHole(last, after?.[0]); after = this.#after.get(last))
      [, last] = after!;
    if (first < range[0] || last > range[1]) this.#replace([[first, last]], [[first, last]]);
    return last;
  }

  /** Whether no row exists between two ids, these not counted; false where there is no such id. */
  #isHole(afterId: number | undefined, beforeId: number | undefined): boolean {
    if (afterId === undefined || beforeId === undefined) return false;
    return this.#isRowWithin.get(afterId + 1, beforeId - 1) === undefined;
  }

  /** The settled ranges that overlap a range or stand next to it. */
  #touching([first, last]: IdRange): IdRange[] {
    const before = this.#before.get(first - 1);
    const within = this.#within.all(first, last + 1);
    return before !== undefined && before[1] >= first - 1 ? [before, ...within] : within;
  }

  #replace(old: readonly IdRange[], next: readonly IdRange[]): void {
    if (old.length > 0) this.#delete.run(old[0]![0], old.at(-1)![1]);
    for (const [first, last] of next) this.#insert.run(first, last);
  }

  #rowsIn(ranges: readonly IdRange[]): number {
    return ranges.reduce((rows, range) => rows + (this.#count.get(...range) ?? 0), 0);
  }
}

function lengthOf([first, last]: IdRange): number {
  return last - first + 1;
}
