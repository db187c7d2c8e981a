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

/** When a scrape began, by both clocks of this process; Unix and monotonic milliseconds. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** An instant as a database holds it. */
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
  #latestMonotonicMs = -Infinity;
  #current: Epoch;
  /** The one before the last step. */
  #previous: Epoch;
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
    this.#current = this.#epochAt(now, this.#localTime(options.clock.monotonic()), 'start');
    this.#previous = this.#current;
    this.#recorded = lastTrustedEpoch(database);
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO epochs (first_id, offset_ms, trusted, boot_id, reason) VALUES (?, ?, ?, ?, ?)',
    );
    this.#correct = database.prepare(
      `UPDATE epochs SET offset_ms = ?, trusted = 1, reason = reason || '; true time learned later'
       WHERE trusted = 0 AND first_id >= ?`,
    );
  }

  /**
   * The moment of an instant. Instants come in their order, but for those of slow scrapes, which come when these end:
   * such a one has the time of its own beginning too.
   */
  momentOf({ wallMs, monotonicMs }: Instant): Moment {
    const localMs = this.#localTime(monotonicMs);
    const isLate = monotonicMs < this.#latestMonotonicMs;
    const epoch = this.#epochOf(wallMs, localMs, isLate);
    if (isLate) return { storedMs: localMs, trueMs: localMs + epoch.offsetMs, epoch };
    const storedMs = Math.max(this.#lastStoredMs + 1, localMs);
    this.#lastStoredMs = storedMs;
    this.#latestMonotonicMs = monotonicMs;
    return { storedMs, trueMs: storedMs + epoch.offsetMs, epoch };
  }

  #epochOf(wallMs: number, localMs: number, isLate: boolean): Epoch {
    const stepFrom = (epoch: Epoch): number => wallMs - localMs - epoch.offsetMs;
    const stepMs = stepFrom(this.#current);
    if (Math.abs(stepMs) <= STEP_MS) return this.#current;
    if (isLate && Math.abs(stepFrom(this.#previous)) <= STEP_MS) return this.#previous;
    const epoch = this.#epochAt(wallMs, localMs, `the wall clock stepped by ${(stepMs / 1000).toFixed(1)} s`);
    if (isLate) return epoch;
    this.#options.logger.warn('the wall clock stepped', { step_ms: stepMs, trusted: epoch.trusted });
    this.#previous = this.#current;
    this.#current = epoch;
    return epoch;
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

  /**
   * Notes, inside the transaction that stores them, that rows of another database begin at an id. The next rows of this
   * process begin an epoch of their own again.
   */
  recordForeign(offsetMs: number, firstId: number): void {
    if (this.#recorded?.trusted === true && this.#recorded.offsetMs === offsetMs) return;
    const reason = 'rows of a damaged database';
    this.#insert.run(firstId, offsetMs, 1, null, reason);
    this.#recorded = { offsetMs, trusted: true, reason };
  }

  #localTime(monotonicMs: number): number {
    return Math.floor(monotonicMs + this.#base);
  }

  #epochAt(wallMs: number, localMs: number, reason: string): Epoch {
    const trusted = wallMs >= this.#options.builtAtMs;
    const clockReason = trusted ? reason : `${reason}; the clock stands before this program was built`;
    // A start that finds the clock where the stored rows leave off needs no correction of a stray millisecond.
    const offsetMs = Math.round(wallMs - localMs);
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
