import type { Database, Statement } from '@thugshells/shared/database/open.ts';

/**
 * Why samples were dropped: by the size cap, by thinning, because the buffer was full, or with a corrupt database: counted, or
 * estimated as an upper bound.
 */
export type LossReason = 'cap' | 'thinned' | 'memory' | 'corruption' | 'estimated';

/** Samples that are neither delivered nor pending nor rejected any more. */
export interface Loss {
  readonly reason: LossReason;
  readonly count: number;
  /** Corrected times of the first and the last of them, Unix milliseconds; null if unknown. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

/** Losses of one reason within this time are one entry. */
const SAME_ENTRY_MS = 3_600_000;
/** Entries beyond this number are merged, oldest first, so that every loss stays counted. */
const KEPT_ENTRIES = 500;

/** The ledger of losses; its counts and the books' `dropped` move together, in the caller's transaction. */
export class Ledger {
  readonly #newest: Statement<[string], { id: number; at: number; count: number }>;
  readonly #extend: Statement;
  readonly #insert: Statement;
  readonly #drop: Statement<[number]>;
  readonly #remove: Statement<[number]>;
  readonly #size: Statement<[], number>;
  readonly #mergeOldest: Statement[];

  constructor(database: Database) {
    this.#newest = database.prepare('SELECT id, at, count FROM losses WHERE reason = ? ORDER BY id DESC LIMIT 1');
    this.#extend = database.prepare(
      `UPDATE losses SET count = count + @count, first_ms = IFNULL(MIN(first_ms, @firstMs), IFNULL(first_ms, @firstMs)),
         last_ms = IFNULL(MAX(last_ms, @lastMs), IFNULL(last_ms, @lastMs)) WHERE id = @id`,
    );
    this.#insert = database.prepare('INSERT INTO losses (at, reason, count, first_ms, last_ms) VALUES (?, ?, ?, ?, ?)');
    this.#drop = database.prepare('UPDATE collector_state SET dropped = dropped + ?');
    this.#remove = database.prepare('DELETE FROM losses WHERE id = ?');
    this.#size = database.prepare<[], number>('SELECT COUNT(*) FROM losses').pluck();
    // The oldest entry that has a later one of its reason is merged into that. More entries than reasons: there is such a pair.
    const pair = `SELECT a.id AS older, MIN(b.id) AS newer FROM losses AS a JOIN losses AS b ON b.reason = a.reason AND b.id > a.id
      GROUP BY a.id ORDER BY a.id LIMIT 1`;
    this.#mergeOldest = [
      database.prepare(
        `UPDATE losses SET (at, count, first_ms, last_ms) =
           (SELECT MAX(at), SUM(count), MIN(first_ms), MAX(last_ms) FROM losses, (${pair}) WHERE losses.id IN (older, newer))
         WHERE id = (SELECT newer FROM (${pair}))`,
      ),
      database.prepare(`DELETE FROM losses WHERE id = (SELECT older FROM (${pair}))`),
    ];
  }

  /** Books a loss, as an entry of the ledger and in `dropped`. */
  add(loss: Loss, atMs: number): void {
    const { reason, count, firstMs, lastMs } = loss;
    const newest = this.#newest.get(reason);
    if (newest !== undefined && Math.abs(atMs - newest.at) < SAME_ENTRY_MS)
      this.#extend.run({ count, firstMs, lastMs, id: newest.id });
    else this.#insert.run(atMs, reason, count, firstMs, lastMs);
    this.#drop.run(count);
    while (this.#size.get()! > KEPT_ENTRIES) for (const statement of this.#mergeOldest) statement.run();
  }

  /** Subtracts samples that were booked as lost and have been recovered, from the newest entries of their reason. */
  bookRecovered(reason: LossReason, count: number): void {
    for (let rest = count; rest > 0;) {
      const entry = this.#newest.get(reason);
      if (entry === undefined) throw new Error(`${rest} recovered samples were never booked as lost`);
      const recovered = Math.min(rest, entry.count);
      if (recovered === entry.count) this.#remove.run(entry.id);
      else this.#extend.run({ count: -recovered, firstMs: null, lastMs: null, id: entry.id });
      this.#drop.run(-recovered);
      rest -= recovered;
    }
  }
}
