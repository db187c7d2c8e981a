import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { EpochTable, Trust, type Epoch, type ForeignEpoch, type ReceiverClock } from './epoch-table.ts';

/** When a scrape began, by all clocks, in milliseconds; `wallMs` is Unix time. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly sinceBootMs: number;
}

/** What the clocks say now. */
export function instantOf(clock: Clock): Instant {
  return { wallMs: clock.now(), monotonicMs: clock.monotonic(), sinceBootMs: clock.sinceBoot() };
}

/** An instant as the database holds it. */
export interface Moment {
  /** Strictly increasing, also across steps of the wall clock and restarts; what the table holds. */
  readonly storedMs: number;
  /** What the clock says that samples are stamped by, in whole milliseconds. */
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

/** The wall clock has stepped when it and the monotonic clock disagree by more than this. */
const STEP_MS = 500;
/** Two daemons that set the clock in turn would make an epoch a scrape: with each so many, a step has to be twice as large. */
const EPOCHS_PER_DOUBLING = 250;
/** A receiver's clock that differs by more is believed, not this one. */
const MAX_SKEW_MS = 86_400_000;

/** What an instant means. */
interface Reading {
  /** The monotonic clock, moved ahead of every stored row. */
  readonly storedMs: number;
  readonly bootBaseMs: number;
  /** The clock that samples are stamped by. */
  readonly trueMs: number;
  readonly trust: Trust;
  readonly doubt: string;
}

/**
 * Turns the wall clock, which may step, into stored time, which only grows, and remembers how to turn it back.
 *
 * Stored time is monotonic time plus a constant, chosen at start so that it lies ahead of every stored row. A step
 * of the wall clock begins a new epoch, which is one row; no sample is ever stamped anew. Rows of an epoch whose clock
 * is not trusted are held by the uploader, until a later epoch tells its true time.
 */
export class ClockEpochs {
  readonly #options: ClockEpochsOptions;
  readonly #table: EpochTable;
  readonly #base: number;
  readonly #firstStoredMs: number;
  #lastStoredMs: number;
  #latestMonotonicMs = -Infinity;
  #current: Epoch;
  /** The one before the last step. */
  #previous: Epoch;
  /** The newest epoch in the table, where `current` may go on with it. */
  #recorded: Epoch | undefined;
  #count: number;
  /** The newest epoch, where it is of rows of another database. */
  #foreign: ForeignEpoch | undefined;
  /** How far the wall clock was from the epoch's at the last look: a step comes at once, drift little by little. */
  #lastDeviationMs = 0;
  /** By which receiver's clock the held epochs were looked at last. */
  #settledBy: number | undefined | 'never' = 'never';

  constructor(database: Database, options: ClockEpochsOptions) {
    this.#options = options;
    this.#table = new EpochTable(database, options.bootId);
    const newest = database.prepare<[], number | null>('SELECT MAX(timestamp_ms) FROM samples').pluck().get() ?? 0;
    this.#lastStoredMs = newest;
    // Not below the build either: rows stamped 1970 would be refused, not held, also after the clock has been set.
    const start = instantOf(options.clock);
    this.#base = Math.max(start.wallMs, newest + 1, options.builtAtMs) - start.monotonicMs;
    this.#firstStoredMs = Math.floor(start.monotonicMs + this.#base);
    this.#current = this.#epochAt(this.#read(start), 'start');
    this.#previous = this.#current;
    this.#recorded = this.#table.newest();
    this.#count = this.#table.count();
  }

  /**
   * The moment of an instant. Instants come in their order, but for those of slow scrapes, which come when these end:
   * such a one has the time of its own beginning too.
   */
  momentOf(instant: Instant): Moment {
    const reading = this.#read(instant);
    if (instant.monotonicMs < this.#latestMonotonicMs) {
      const epoch = this.#lateEpoch(reading);
      return { storedMs: reading.storedMs, trueMs: reading.storedMs + epoch.offsetMs, epoch };
    }
    this.#latestMonotonicMs = instant.monotonicMs;
    this.#notice(reading);
    const storedMs = Math.max(this.#lastStoredMs + 1, reading.storedMs);
    this.#lastStoredMs = storedMs;
    return { storedMs, trueMs: storedMs + this.#current.offsetMs, epoch: this.#current };
  }

  /** No row of this process is stored under an earlier time. */
  get firstStoredMs(): number {
    return this.#firstStoredMs;
  }

  /** How far the wall clock is ahead of the receiver's, in milliseconds; undefined until they were compared in this boot. */
  skewMs(): number | undefined {
    const receiver = this.#table.receiverClock();
    const { clock } = this.#options;
    return receiver === undefined ? undefined : clock.now() - clock.sinceBoot() - receiver.bootedAtMs;
  }

  /**
   * Notes, inside the transaction that stores them, which ids a moment's rows begin with.
   * It is also the time to give rows that are held their true time, where it has become known.
   */
  record({ epoch }: Moment, firstId: number): void {
    const continues = this.#recorded !== undefined && isSameClock(this.#recorded, epoch);
    if (!continues) {
      this.#table.add(firstId, epoch);
      this.#count = this.#table.count();
    } else if (epoch.trust === Trust.confirmed && this.#recorded?.trust === Trust.faith) this.#table.confirmNewest();
    this.#recorded = continues && this.#recorded?.trust === Trust.confirmed ? this.#recorded : epoch;
    this.#foreign = undefined;
    const by = this.#table.receiverClock()?.bootedAtMs;
    if (continues && this.#settledBy === by) return;
    this.#settledBy = by;
    this.#settleHeld(firstId, epoch);
  }

  /**
   * Notes, inside the transaction that stores them, that rows of another database begin at an id. The next rows of this
   * process begin an epoch of their own again.
   *
   * @param epoch the same object for as long as it is the same epoch
   */
  recordForeign(epoch: ForeignEpoch, firstId: number): void {
    if (this.#foreign === epoch) return;
    this.#table.addForeign(firstId, epoch);
    this.#foreign = epoch;
    this.#recorded = undefined;
  }

  /** After a transaction that failed: what it recorded went with it. */
  forget(): void {
    this.#foreign = undefined;
    this.#recorded = this.#table.newest();
    this.#count = this.#table.count();
    this.#settledBy = 'never';
  }

  #settleHeld(firstId: number, epoch: Epoch): void {
    const bootedAtMs = epoch.trust === Trust.no ? undefined : epoch.offsetMs + epoch.bootBaseMs;
    const { timed, lost } = this.#table.settleHeld(firstId, bootedAtMs);
    if (timed > 0) this.#options.logger.info('rows that were held have got their true time', { epochs: timed });
    if (lost > 0)
      this.#options.logger.warn('rows of an earlier boot never got a true time; they are rejected', { epochs: lost });
  }

  /** Begins an epoch where the clocks do not agree with the current one any more. */
  #notice(reading: Reading): void {
    const { logger } = this.#options;
    const stepMs = reading.trueMs - reading.storedMs - this.#current.offsetMs;
    const isStep = Math.abs(stepMs) > STEP_MS * 2 ** Math.floor(this.#count / EPOCHS_PER_DOUBLING);
    const isTrustLost = (reading.trust === Trust.no) !== (this.#current.trust === Trust.no);
    if (!isStep && !isTrustLost) {
      this.#lastDeviationMs = stepMs;
      // Agreement once is enough: the receiver's clock may be the one that goes wrong later.
      if (reading.trust > this.#current.trust) this.#current = { ...this.#current, trust: reading.trust };
      return;
    }
    const suspendedMs = this.#current.bootBaseMs - reading.bootBaseMs;
    const isDrift = Math.abs(stepMs - this.#lastDeviationMs) <= STEP_MS / 2;
    const what = reasonOf({ stepMs, suspendedMs, isStep, isDrift });
    this.#previous = this.#current;
    this.#current = this.#epochAt(reading, what);
    this.#lastDeviationMs = 0;
    const isHarmless = (isDrift || suspendedMs > STEP_MS) && !isTrustLost;
    const fields = {
      step_ms: Math.round(stepMs),
      trusted: this.#current.trust !== Trust.no,
      reason: this.#current.reason,
    };
    if (isHarmless) logger.info('a clock epoch begins', fields);
    else logger.warn('the wall clock stepped', fields);
  }

  /** The epoch of a scrape that began before the last one that was asked for. */
  #lateEpoch(reading: Reading): Epoch {
    const isOf = (epoch: Epoch): boolean => Math.abs(reading.trueMs - reading.storedMs - epoch.offsetMs) <= STEP_MS;
    return [this.#current, this.#previous].find(isOf) ?? this.#epochAt(reading, 'a slow scrape');
  }

  #read({ wallMs, monotonicMs, sinceBootMs }: Instant): Reading {
    const storedMs = Math.floor(monotonicMs + this.#base);
    const receiver = this.#table.receiverClock();
    const receiverMs = receiver === undefined ? undefined : receiver.bootedAtMs + sinceBootMs;
    const trueMs = receiver?.isStamp === true ? receiverMs! : wallMs;
    return { storedMs, bootBaseMs: storedMs - sinceBootMs, trueMs, ...this.#verdict(trueMs, receiver, receiverMs) };
  }

  /** Agreement with the receiver overrides everything else. */
  #verdict(
    trueMs: number,
    receiver: ReceiverClock | undefined,
    receiverMs: number | undefined,
  ): Pick<Reading, 'trust' | 'doubt'> {
    if (receiver === undefined || receiverMs === undefined) {
      if (trueMs >= this.#options.builtAtMs) return { trust: Trust.faith, doubt: '' };
      return { trust: Trust.no, doubt: 'the clock stands before this program was built' };
    }
    if (Math.abs(trueMs - receiverMs) <= MAX_SKEW_MS) return { trust: Trust.confirmed, doubt: '' };
    return { trust: Trust.no, doubt: 'the clock differs from the receiver’s by more than a day' };
  }

  #epochAt({ storedMs, trueMs, bootBaseMs, trust, doubt }: Reading, reason: string): Epoch {
    // A start that finds the clock where the stored rows leave off needs no correction of a stray millisecond.
    const offsetMs = Math.round(trueMs - storedMs);
    return {
      offsetMs: Math.abs(offsetMs) <= 1 ? 0 : offsetMs,
      bootBaseMs: Math.round(bootBaseMs),
      trust,
      reason: doubt === '' ? reason : `${reason}; ${doubt}`,
    };
  }
}

function reasonOf(change: { stepMs: number; suspendedMs: number; isStep: boolean; isDrift: boolean }): string {
  const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  if (!change.isStep) return 'the receiver’s clock became known';
  if (change.suspendedMs > STEP_MS) return `the machine was suspended for ${inSeconds(change.suspendedMs)}`;
  if (change.isDrift) return `the wall clock drifted by ${inSeconds(change.stepMs)}`;
  return `the wall clock stepped by ${inSeconds(change.stepMs)}`;
}

/** Whether rows of `b` may stand in the table as rows of `a`. */
function isSameClock(a: Epoch, b: Epoch): boolean {
  return (
    a.offsetMs === b.offsetMs &&
    Math.abs(a.bootBaseMs - b.bootBaseMs) <= STEP_MS &&
    (a.trust === Trust.no) === (b.trust === Trust.no)
  );
}
