import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { intersect, merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { preparePendingRowsVersion, type PendingRowsVersion } from './pending-rows-version.ts';
import { VerifiedRanges, VerifiedState } from './verified-ranges.ts';

/** A row that will not be sent again, and the reason. */
export interface RejectedRow {
  readonly id: number;
  /** The receiver's HTTP status; undefined if the encoder rejected the row. */
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
 * Keeps the set of settled ids (delivered or rejected) as ranges, together with the counts `delivered` and `rejected`.
 *
 * Ids only grow, so the set is a handful of ranges, which are merged as soon as they meet. Every method works within the
 * caller's transaction and counts only rows that exist. Ids of rows that retention has deleted are neither delivered nor
 * pending. No range ends beside such a hole: otherwise thinning, which keeps one row in ten, would leave as many ranges
 * as rows.
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
  readonly #insertRejected: Statement;
  readonly #deleteRejected: Statement<[number]>;
  readonly #rejectedWithin: Statement<[number, number], number>;
  readonly #addToBooks: Statement<[number, number]>;
  readonly #verified: VerifiedRanges;

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
    this.#insertRejected = database.prepare('INSERT OR REPLACE INTO rejected (id, status, reason) VALUES (?, ?, ?)');
    this.#deleteRejected = database.prepare('DELETE FROM rejected WHERE id = ?');
    this.#rejectedWithin = database
      .prepare<[number, number], number>('SELECT id FROM rejected WHERE id BETWEEN ? AND ? ORDER BY id')
      .pluck();
    this.#verified = new VerifiedRanges(database);
    this.#addToBooks = database.prepare('UPDATE uploader_state SET delivered = delivered + ?, rejected = rejected + ?');
  }

  /** Returns all settled ranges, ascending. */
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
    const delivered = this.#addRanges(ranges, isCurrent ? counted.count : undefined);
    this.#addToBooks.run(delivered, 0);
    return delivered;
  }

  /** Settles rows as rejected, with their reasons; returns how many were pending until now. */
  reject(rejections: readonly RejectedRow[]): number {
    let rejected = 0;
    for (const { id, status, reason } of rejections) {
      const wasPending = this.#addRanges([[id, id]]);
      if (wasPending > 0) this.#insertRejected.run(id, status ?? null, reason);
      rejected += wasPending;
    }
    this.#addToBooks.run(0, rejected);
    return rejected;
  }

  /** Makes delivered rows pending again; rejected ones stay. Returns how many. */
  requeueDelivered(ranges: readonly IdRange[]): number {
    let requeued = 0;
    for (const range of merge(ranges)) {
      const overlapping = this.#findTouching(range);
      const rejected = this.#rejectedWithin.all(...range).map((id): IdRange => [id, id]);
      const freed = subtract(intersect([range], overlapping), rejected);
      this.#replace(overlapping, subtract(overlapping, freed));
      this.#verified.remove(VerifiedState.judged, freed);
      requeued += this.#countRows(freed);
    }
    this.#addToBooks.run(-requeued, 0);
    return requeued;
  }

  /** Makes rejected rows that still exist pending again. Returns how many. */
  requeueRejected(ids: readonly number[]): number {
    const rejected = ids.filter((id) => this.#rejectedWithin.all(id, id).length > 0 && this.#countRows([[id, id]]) > 0);
    for (const id of rejected) {
      const around = this.#findTouching([id, id]);
      this.#replace(around, subtract(around, [[id, id]]));
      this.#deleteRejected.run(id);
    }
    this.#addToBooks.run(0, -rejected.length);
    return rejected.length;
  }

  /** Merges ranges between which no row exists any more. */
  compact(): void {
    let through = 0;
    for (const range of this.readRanges()) {
      if (range[1] > through) through = this.#joinOverHoles(range);
    }
  }

  /** @param rows how many rows the ranges hold, if known */
  #addRanges(ranges: readonly IdRange[], rows?: number): number {
    const whole = merge(ranges);
    const fresh = whole.map((range) => subtract([range], this.#findTouching(range)));
    const wereAllPending = fresh.every(
      (parts, index) => parts.length === 1 && countIds(parts[0]!) === countIds(whole[index]!),
    );
    const added = rows !== undefined && wereAllPending ? rows : this.#countRows(fresh.flat());
    for (const range of whole) {
      const neighbours = this.#findTouching(range);
      const [joined] = merge([...neighbours, range]);
      this.#replace(neighbours, [joined!]);
      this.#joinOverHoles(joined!);
    }
    return added;
  }

  /**
   * Joins a range with its neighbours as long as no row lies between; returns its last id. Each step removes a range, so
   * that all steps together cost no more than inserting the ranges did.
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

  /** Whether no row exists between two ids, both excluded; false if one of them is undefined. */
  #isHole(afterId: number | undefined, beforeId: number | undefined): boolean {
    if (afterId === undefined || beforeId === undefined) return false;
    return this.#isRowWithin.get(afterId + 1, beforeId - 1) === undefined;
  }

  /** Finds the settled ranges that overlap a range or are adjacent to it. */
  #findTouching([first, last]: IdRange): IdRange[] {
    const before = this.#before.get(first - 1);
    const within = this.#within.all(first, last + 1);
    return before !== undefined && before[1] >= first - 1 ? [before, ...within] : within;
  }

  #replace(old: readonly IdRange[], next: readonly IdRange[]): void {
    if (old.length > 0) this.#delete.run(old[0]![0], old.at(-1)![1]);
    for (const [first, last] of next) this.#insert.run(first, last);
  }

  #countRows(ranges: readonly IdRange[]): number {
    return ranges.reduce((rows, range) => rows + (this.#count.get(...range) ?? 0), 0);
  }
}

function countIds([first, last]: IdRange): number {
  return last - first + 1;
}
