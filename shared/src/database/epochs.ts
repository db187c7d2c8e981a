/**
 * The one conversion from stored time to corrected time, for both programs.
 *
 * `samples.timestamp_ms` is stored time, which only grows. A row of the table `epochs` holds what is added to it for
 * the samples from an id up to the next epoch's first id: corrected time = stored time + offset_ms. The wall clock may step
 * and the receiver's clock may become known later: then a row of `epochs` changes, never a sample.
 *
 * The ranges are made here, not by a window function in a view: at 1,000 epochs, the most that are kept, LEAD() takes
 * 1.4 ms where this takes 0.5 ms, and the uploader reads them with each poll and each batch.
 */
import { findByFirstId, type IdRange } from './id-ranges.ts';
import type { Database, Statement } from './open.ts';

/** The ids that one epoch covers, and what is known of its clock. */
export interface EpochRange {
  readonly firstId: number;
  /** Number.MAX_SAFE_INTEGER for the newest epoch, which has no end yet. */
  readonly lastId: number;
  /** Milliseconds that are added to stored time. */
  readonly offsetMs: number;
  /** Whether its samples may be sent; see the view `clock_epochs`. */
  readonly isTrusted: boolean;
  /** Whether its boot ended before its clock could be corrected: its samples are rejected. */
  readonly isLost: boolean;
}

/** Ids that share one offset. */
export interface RangeWithOffset {
  readonly firstId: number;
  readonly lastId: number;
  readonly offsetMs: number;
}

/** SQL for the offset of the epoch that a sample belongs to. @param id an SQL expression for the sample's id */
export function offsetSql(id: string): string {
  return `(SELECT offset_ms FROM epochs WHERE first_id <= ${id} ORDER BY first_id DESC LIMIT 1)`;
}

/** SQL for a sample's corrected time in Unix milliseconds. @param samples the name of the table in the statement */
export function correctedTimeSql(samples = 'samples'): string {
  return `(${samples}.timestamp_ms + ${offsetSql(`${samples}.id`)})`;
}

/** SQL for the offset of the newest epoch. */
export const NEWEST_OFFSET_SQL = '(SELECT offset_ms FROM epochs ORDER BY first_id DESC LIMIT 1)';

/** Whether a stored value may be an offset between two clocks, in milliseconds. */
export function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Why an epoch has the offset with which its samples were delivered, although that was wrong. */
export const SENT_BEFORE_CORRECTION = 'sent before its clock was corrected';

/**
 * Samples that were stamped by the receiver's clock (CLOCK_SKEW_POLICY=correct) when that was another: the time of a portal,
 * which the first one of the receiver's own replaced. They are more than a day off, and held until the collector has
 * corrected them.
 */
const STAMPED_BY_ANOTHER_CLOCK = `r.policy = 'correct' AND e.reason <> '${SENT_BEFORE_CORRECTION}'
  AND abs(e.offset_ms + e.boot_base_ms - r.booted_at_ms) > 86400000`;

/** Reads the epochs as ranges of ids. */
export class EpochRanges {
  readonly #epochs: Statement<[], [firstId: number, offsetMs: unknown, isTrusted: number, isLost: number]>;

  constructor(database: Database) {
    this.#epochs = database
      .prepare<[], [number, unknown, number, number]>(
        `SELECT e.first_id, e.offset_ms, IIF(${STAMPED_BY_ANOTHER_CLOCK}, 0, e.trusted), e.lost
         FROM clock_epochs AS e LEFT JOIN receiver_clock AS r ON r.boot_id = e.boot_id ORDER BY e.first_id`,
      )
      .raw();
  }

  /**
   * Returns all epochs, ascending. One whose offset is unreadable is not trusted: its samples are held until the collector
   * has corrected it, or as long as an operator does not.
   */
  all(): EpochRange[] {
    const epochs = this.#epochs.all();
    return epochs.map(([firstId, offsetMs, isTrusted, isLost], index) => ({
      firstId,
      lastId: index + 1 < epochs.length ? epochs[index + 1]![0] - 1 : Number.MAX_SAFE_INTEGER,
      offsetMs: isOffset(offsetMs) ? offsetMs : 0,
      isTrusted: isTrusted === 1 && isOffset(offsetMs),
      isLost: isLost === 1,
    }));
  }
}

/** Cuts ranges where epochs begin; ids before the first epoch are left out. @param epochs ascending */
export function splitByEpoch(ranges: readonly IdRange[], epochs: readonly EpochRange[]): RangeWithOffset[] {
  return ranges.flatMap(([first, last]) =>
    epochs.flatMap((epoch): RangeWithOffset[] => {
      const firstId = Math.max(first, epoch.firstId);
      const lastId = Math.min(last, epoch.lastId);
      return firstId <= lastId ? [{ firstId, lastId, offsetMs: epoch.offsetMs }] : [];
    }),
  );
}

/**
 * Finds the epoch of an id; the first one for ids before it, undefined only without epochs.
 *
 * @param epochs ascending
 */
export function findEpoch<E extends { readonly firstId: number }>(epochs: readonly E[], id: number): E | undefined {
  return findByFirstId(epochs, ({ firstId }) => firstId, id);
}
