import type { Clock } from '@thugshells/shared/clock.js';
import type { Database, Statement } from '@thugshells/shared/database/open.js';
import type { Logger } from '@thugshells/shared/logger.js';

/** From some sample id on, true time = stored time + offset. */
interface Epoch {
  readonly offsetMs: number;
  /** Rows of an epoch that is not trusted are held back until its true time is learned. */
  readonly trusted: boolean;
  readonly reason: string;
}

/** The moment of a scrape. */
export interface Moment {
  /** Strictly increasing, also across steps of the wall clock and restarts; what the table holds. */
  readonly storedMs: number;
  /** What the wall clock says, in whole milliseconds. */
  readonly trueMs: number;
  readonly epoch: Epoch;
}

export interface ClockEpochsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The kernel's id of this boot, where it has one. */
  readonly bootId: string | undefined;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
}

/** The wall clock has stepped when it and the monotonic clock disagree by more than this; drift stays far below. */
const STEP_MS = 500;

/**
 * Turns the wall clock, which may step, into stored time, which only grows, and remembers how to turn it back.
 *
 * Stored time is monotonic time plus a constant, chosen at start so that it lies ahead of every stored row. A step
 * of the wall clock begins a new epoch, which is one row; no sample is ever stamped anew.
 */
export class ClockEpochs {
  readonly #database: Database;
  readonly #options: ClockEpochsOptions;
  readonly #base: number;
  readonly #insert: Statement;
  readonly #correct: Statement;
  #lastStoredMs: number;
  #current: Epoch;
  #recorded: Epoch | undefined;
  #firstOwnId: number | undefined;

  constructor(database: Database, options: ClockEpochsOptions) {
    this.#database = database;
    this.#options = options;
    const newest = database.prepare<[], number | null>('SELECT MAX(timestamp_ms) FROM samples').pluck().get() ?? 0;
    const now = options.clock.now();
    this.#lastStoredMs = newest;
    // Not below the build either: rows stamped 1970 would be refused, not held, also after the clock has been set.
    this.#base = Math.max(now, newest + 1, options.builtAtMs) - options.clock.monotonic();
    this.#current = this.#epochAt(now, 'start');
    this.#recorded = lastTrustedEpoch(database);
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO epochs (first_id, offset_ms, trusted, boot_id, reason) VALUES (?, ?, ?, ?, ?)',
    );
    this.#correct = database.prepare(
      `UPDATE epochs SET offset_ms = ?, trusted = 1, reason = reason || '; true time learned later'
       WHERE trusted = 0 AND first_id >= ?`,
    );
  }

  /** The moment for the scrape that begins now. */
  now(): Moment {
    const { clock, logger } = this.#options;
    const trueMs = clock.now();
    const storedMs = Math.max(this.#lastStoredMs + 1, this.#storedNow());
    const stepMs = trueMs - this.#storedNow() - this.#current.offsetMs;
    if (Math.abs(stepMs) > STEP_MS) {
      this.#current = this.#epochAt(trueMs, `the wall clock stepped by ${(stepMs / 1000).toFixed(1)} s`);
      logger.warn('the wall clock stepped', { step_ms: stepMs, trusted: this.#current.trusted });
    }
    this.#lastStoredMs = storedMs;
    return { storedMs, trueMs: storedMs + this.#current.offsetMs, epoch: this.#current };
  }

  /**
   * Notes, inside the transaction that stores them, which ids a moment's rows begin with.
   * The first trusted epoch of this process also tells the true time of the untrusted ones before it.
   */
  record(moment: Moment, firstId: number): void {
    const { epoch } = moment;
    this.#firstOwnId ??= firstId;
    if (this.#recorded?.offsetMs === epoch.offsetMs && this.#recorded.trusted === epoch.trusted) return;
    if (epoch.trusted) this.#correct.run(epoch.offsetMs, this.#firstOwnId);
    this.#insert.run(firstId, epoch.offsetMs, epoch.trusted ? 1 : 0, this.#options.bootId ?? null, epoch.reason);
    this.#recorded = epoch;
  }

  /** After a transaction that failed: what it recorded went with it. */
  forget(): void {
    this.#recorded = lastTrustedEpoch(this.#database);
  }

  #storedNow(): number {
    return Math.floor(this.#options.clock.monotonic() + this.#base);
  }

  #epochAt(nowMs: number, reason: string): Epoch {
    const trusted = nowMs >= this.#options.builtAtMs;
    const clockReason = trusted ? reason : `${reason}; the clock stands before this program was built`;
    // A start that finds the clock where the stored rows leave off needs no correction of a stray millisecond.
    const offsetMs = Math.round(nowMs - this.#storedNow());
    return { offsetMs: Math.abs(offsetMs) <= 1 ? 0 : offsetMs, trusted, reason: clockReason };
  }
}

/** The newest epoch, which ours may continue; one that is not trusted never: what follows has its true time apart. */
function lastTrustedEpoch(database: Database): Epoch | undefined {
  const row = database
    .prepare<[], { offset_ms: number; trusted: number; reason: string }>(
      'SELECT offset_ms, trusted, reason FROM epochs ORDER BY first_id DESC LIMIT 1',
    )
    .get();
  return row?.trusted === 1 ? { offsetMs: row.offset_ms, trusted: true, reason: row.reason } : undefined;
}
