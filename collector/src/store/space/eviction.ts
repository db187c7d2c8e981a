import type { Clock } from '@thugshells/shared/clock.ts';
import { correctedTimeSql } from '@thugshells/shared/database/epochs.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { ProvisionalRows } from '@thugshells/shared/database/provisional-rows.ts';

import type { ClockEpochs } from '../clock/clock-epochs.ts';
import { SampleAges, type AgeLimit } from '../clock/sample-ages.ts';
import type { Ledger, Loss } from './ledger.ts';
import { Thinning } from './thinning.ts';

export interface EvictionOptions {
  readonly clock: Clock;
  readonly epochs: Pick<ClockEpochs, 'readPresent'>;
  readonly ledger: Ledger;
  /** Age from which delivered rows are deleted. */
  readonly retentionMs: number;
  /** Maximum of the used pages before rows are evicted, in bytes. */
  readonly usedBytes: number;
}

/** The numbers of rows that one slice deleted. */
export interface DeletedSlice {
  /** All deleted rows. */
  readonly rows: number;
  /** Those of them that were pending. */
  readonly lost: number;
}

/**
 * Ids in which a slice is searched, both included; its rows have a stored time before `beforeMs`. Samples with times of their
 * own stand among later ones, so it ends before the first row from `beforeMs` to `nowMs`: no row is later than that.
 */
interface SliceBounds {
  readonly first: number;
  readonly last: number;
  readonly beforeMs: number;
  readonly nowMs: number;
}

/** Old rows, and the present. */
interface OldRows {
  readonly limits: readonly AgeLimit[];
  /** Stored time. */
  readonly nowMs: number;
  /** Settled rows that stay. */
  readonly spared: readonly IdRange[];
}

interface SettledSlice {
  readonly firstId: number;
  readonly lastId: number;
}

/** Rows of one slice: deleted within milliseconds, so that no scrape is delayed. */
const SLICE_ROWS = 3_600;
/** Rejected rows beyond this number are deleted, oldest first, whatever their age. */
const KEPT_REJECTED = 10_000;
/** Epochs beyond this number are deleted with their rows: only a clock that steps all the time creates so many. */
const KEPT_EPOCHS = 1_000;
/** All rows, however old. */
const ALL: OldRows = {
  limits: [{ firstId: 0, lastId: Number.MAX_SAFE_INTEGER, beforeMs: Number.MAX_SAFE_INTEGER }],
  nowMs: Number.MAX_SAFE_INTEGER,
  spared: [],
};
const NOTHING: DeletedSlice = { rows: 0, lost: 0 };

/**
 * Deletes rows, a slice at a time: settled ones when they are old or space is needed, pending ones only when space is
 * needed, and then the ledger counts each. The file keeps its size, and later rows use its free pages.
 */
export class Eviction {
  readonly #database: Database;
  readonly #options: EvictionOptions;
  readonly #thinning: Thinning;
  readonly #ages: SampleAges;
  readonly #settled: Statement<[number], [number, number]>;
  readonly #provisional: ProvisionalRows;
  readonly #slice: Statement<[SliceBounds], [number | null, number | null]>;
  readonly #delete: Statement<[number, number]>;
  readonly #deleteRejected: Statement<[number, number]>;
  readonly #rejectedBeyond: Statement<[number], number>;
  readonly #times: Statement<[number, number], [firstMs: number | null, lastMs: number | null]>;
  /** Ids below have no settled row; a hint that saves a search, reset when nothing is found above. */
  #lowestId = 0;

  constructor(database: Database, options: EvictionOptions) {
    this.#database = database;
    this.#options = options;
    this.#thinning = new Thinning(database, options.usedBytes);
    this.#ages = new SampleAges(database);
    this.#settled = database
      .prepare<[number], [number, number]>('SELECT first_id, last_id FROM settled WHERE last_id >= ? ORDER BY first_id')
      .raw();
    this.#provisional = new ProvisionalRows(database);
    this.#slice = database
      .prepare<[SliceBounds], [number | null, number | null]>(
        `WITH slice AS MATERIALIZED (SELECT id, timestamp_ms FROM samples WHERE id BETWEEN @first AND @last ORDER BY id LIMIT ${SLICE_ROWS})
         SELECT MIN(id), MAX(id) FROM slice WHERE timestamp_ms < @beforeMs
           AND id <= IFNULL((SELECT MIN(id) - 1 FROM slice WHERE timestamp_ms BETWEEN @beforeMs AND @nowMs), @last)`,
      )
      .raw();
    this.#delete = database.prepare('DELETE FROM samples WHERE id BETWEEN ? AND ?');
    this.#deleteRejected = database.prepare('DELETE FROM rejected WHERE id BETWEEN ? AND ?');
    this.#rejectedBeyond = database
      .prepare<[number], number>('SELECT id FROM rejected ORDER BY id DESC LIMIT 1 OFFSET ?')
      .pluck();
    this.#times = database
      .prepare<[number, number], [number | null, number | null]>(
        `SELECT MIN(ms), MAX(ms) FROM (SELECT ${correctedTimeSql()} AS ms FROM samples
         WHERE id BETWEEN ? AND ? AND typeof(timestamp_ms) = 'integer')`,
      )
      .raw();
  }

  /** Returns the bytes of the file's pages that are not free. */
  readUsedBytes(): number {
    const pragma = (name: string): number => this.#database.pragma(name, { simple: true }) as number;
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  }

  /** Whether rows have to be evicted. */
  get isOverLimit(): boolean {
    return this.readUsedBytes() > this.#options.usedBytes;
  }

  /**
   * Deletes one slice of rows that were delivered and are certainly older than RETENTION, however wrong the clock is. Those
   * that are provisional stay, however old: they are sent again if the receiver loses them.
   */
  expire(): DeletedSlice {
    return this.#inTransaction(() => {
      const { epochs, retentionMs } = this.#options;
      this.#forgetEpochs();
      const present = epochs.readPresent();
      const limits = this.#ages.findLimits(present, retentionMs);
      const old = { limits, nowMs: present.storedMs, spared: this.#provisional.read() };
      return this.#dropExcessRejected() ?? this.#dropExcessEpochs() ?? this.#deleteSettled(old) ?? NOTHING;
    });
  }

  /** Deletes one slice of settled rows, whatever their age. */
  evictSettled(): DeletedSlice {
    return this.#inTransaction(() => this.#deleteSettled(ALL) ?? NOTHING);
  }

  /**
   * Deletes one slice of the least valuable rows: settled ones, then pending ones in the order of Thinning.
   * A slice may delete no row although a later one does; undefined when nothing is left.
   */
  evict(): DeletedSlice | undefined {
    return this.#inTransaction(() => this.#deleteSettled(ALL) ?? this.#evictPending());
  }

  #deleteSettled(old: OldRows): DeletedSlice | undefined {
    const slice = this.#findSettledSlice(old);
    if (slice === undefined) return undefined;
    const rows = this.#delete.run(slice.firstId, slice.lastId).changes;
    this.#deleteRejected.run(slice.firstId, slice.lastId);
    return { rows, lost: 0 };
  }

  #findSettledSlice({ limits, nowMs, spared }: OldRows): SettledSlice | undefined {
    const settled = subtract(this.#settled.all(this.#lowestId), spared);
    for (const { firstId: from, lastId: to, beforeMs } of limits) {
      if (beforeMs === -Infinity) continue;
      for (const [settledFirst, settledLast] of settled) {
        const [first, last] = [Math.max(settledFirst, this.#lowestId, from), Math.min(settledLast, to)];
        if (first > last) continue;
        const [firstId, lastId] = this.#slice.get({ first, last, beforeMs, nowMs })!;
        if (firstId === null || lastId === null) continue;
        this.#lowestId = firstId;
        return { firstId, lastId };
      }
    }
    // Rows below may have been settled since.
    this.#lowestId = 0;
    return undefined;
  }

  #evictPending(): DeletedSlice | undefined {
    const step = this.#thinning.findNext();
    if (step === undefined) return undefined;
    const times = this.#readTimes(step);
    const rows = this.#thinning.apply(step);
    const reason = step.bucketMs > 0 ? 'thinned' : 'cap';
    if (rows > 0) this.#options.ledger.add({ reason, count: rows, ...times }, this.#options.clock.now());
    return { rows, lost: rows };
  }

  #dropExcessRejected(): DeletedSlice | undefined {
    const through = this.#rejectedBeyond.get(KEPT_REJECTED);
    if (through === undefined) return undefined;
    const { changes: rows } = this.#database
      .prepare('DELETE FROM samples WHERE id IN (SELECT id FROM rejected WHERE id <= ? ORDER BY id LIMIT ?)')
      .run(through, SLICE_ROWS);
    this.#database.prepare('DELETE FROM rejected WHERE id <= ? AND id NOT IN (SELECT id FROM samples)').run(through);
    return { rows, lost: 0 };
  }

  /** Deletes rows of the oldest epochs; pending ones are booked as lost by the size cap. */
  #dropExcessEpochs(): DeletedSlice | undefined {
    const boundary = this.#database
      .prepare<[number], number>('SELECT first_id FROM epochs ORDER BY first_id DESC LIMIT 1 OFFSET ?')
      .pluck()
      .get(KEPT_EPOCHS - 1);
    const [firstId, lastId] =
      boundary === undefined
        ? [null, null]
        : this.#slice.get({ first: 0, last: boundary - 1, beforeMs: Number.MAX_SAFE_INTEGER, nowMs: ALL.nowMs })!;
    if (firstId === null || lastId === null) return undefined;
    const lost = this.#database
      .prepare<[{ firstId: number; lastId: number }], number>(
        `SELECT COUNT(*) FROM pending_ranges AS p CROSS JOIN samples AS m ON m.id BETWEEN MAX(p.first_id, @firstId) AND MIN(p.last_id, @lastId)`,
      )
      .pluck()
      .get({ firstId, lastId })!;
    const times = this.#readTimes({ firstId, lastId });
    if (lost > 0) this.#options.ledger.add({ reason: 'cap', count: lost, ...times }, this.#options.clock.now());
    const rows = this.#delete.run(firstId, lastId).changes;
    this.#deleteRejected.run(firstId, lastId);
    return { rows, lost };
  }

  /** Reads the earliest and the latest time of rows, for the ledger. */
  #readTimes({ firstId, lastId }: SettledSlice): Pick<Loss, 'firstMs' | 'lastMs'> {
    const [firstMs, lastMs] = this.#times.get(firstId, lastId)!;
    return { firstMs, lastMs };
  }

  /** Deletes epochs without rows, except the newest. */
  #forgetEpochs(): void {
    this.#database.exec(
      `DELETE FROM epochs WHERE first_id < (
         SELECT MAX(first_id) FROM epochs WHERE first_id <= IFNULL((SELECT MIN(id) FROM samples), (SELECT last_id + 1 FROM collector_state)))`,
    );
  }

  #inTransaction<T>(work: () => T): T {
    return this.#database.transaction(work).immediate();
  }
}
