import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { MAX_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';
import { Trust } from '@thugshells/shared/state/epoch-trust.ts';

import type { Epoch, ForeignEpoch } from './epoch.ts';
import { EpochTable } from './epoch-table.ts';
import type { Present } from './sample-ages.ts';
import {
  interpret,
  observe,
  planWrite,
  startEpochs,
  type ClockBasis,
  type ClockReading,
  type EpochChange,
  type EpochState,
  type Instant,
  type Moment,
} from './epoch-transition.ts';

/** Reads all clocks. */
export function readInstant(clock: Clock): Instant {
  return { wallMs: clock.now(), monotonicMs: clock.monotonic(), sinceBootMs: clock.sinceBoot() };
}

/** Twice what a sample's time may be: a stored time runs on from a clock that was far ahead, but not beyond this. */
const MAX_STORED_MS = 2 * MAX_TIMESTAMP_MS;

/** Finds the newest stored time; 0 if there is none. A row whose time is no number, or no time, is not one to go on from. */
function findNewestStoredMs(database: Database): number {
  return (
    database
      .prepare<[number], number | null>(
        'SELECT CAST(MAX(timestamp_ms) AS INTEGER) FROM samples WHERE timestamp_ms <= ?',
      )
      .pluck()
      .get(MAX_STORED_MS) ?? 0
  );
}

export interface ClockEpochsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The kernel's id of this boot, if it has one. */
  readonly bootId: string | undefined;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
}

/** What this process knows of the table of epochs. */
interface Recorded {
  /** The newest epoch, if this process may go on with it. */
  readonly epoch: Epoch | undefined;
  /** The newest epoch, if it is one of another database. */
  readonly foreign?: ForeignEpoch;
  readonly count: number;
}

/**
 * Turns the wall clock, which may step, into stored time, which only grows, and records how to turn it back.
 *
 * Stored time is monotonic time plus a constant, chosen at start so that it lies ahead of every stored sample. A step of
 * the wall clock begins a new epoch, which is one row; no sample is ever changed. Samples of an epoch whose clock is not
 * trusted are held by the uploader until a later epoch shows how to correct them.
 */
export class ClockEpochs {
  readonly #options: ClockEpochsOptions;
  readonly #table: EpochTable;
  readonly #basis: ClockBasis;
  readonly #firstStoredMs: number;
  readonly #newestBeforeMs: number;
  #state: EpochState;
  #recorded: Recorded;
  /** The receiver's clock by which the held epochs were corrected last. */
  #correctedBy: number | undefined | 'never' = 'never';

  constructor(database: Database, options: ClockEpochsOptions) {
    const { clock, builtAtMs } = options;
    this.#options = options;
    this.#table = new EpochTable(database, options.bootId);
    const newest = findNewestStoredMs(database);
    this.#newestBeforeMs = newest;
    const start = readInstant(clock);
    // Not below the build either: samples of 1970 would be refused, not held, also after the clock has been set.
    this.#basis = { builtAtMs, baseMs: Math.max(start.wallMs, newest + 1, builtAtMs) - start.monotonicMs };
    const reading = this.#interpret(start);
    this.#firstStoredMs = reading.storedMs;
    this.#state = startEpochs(reading, newest);
    this.#recorded = this.#readRecorded();
  }

  /**
   * Returns the moment of an instant. Instants come in their order, except those of slow scrapes, which come when these
   * end: such a scrape gets the time of its own beginning too.
   */
  toMoment(instant: Instant): Moment {
    const { state, moment, change } = observe(this.#state, this.#interpret(instant), this.#recorded.count);
    this.#state = state;
    if (change !== undefined) this.#log(change, state.current);
    return moment;
  }

  /** No scrape of this process has an earlier stored time; samples with times of their own may. */
  get firstStoredMs(): number {
    return this.#firstStoredMs;
  }

  /** Stored time of the newest sample when the database was opened; 0 if there was none. */
  get newestBeforeMs(): number {
    return this.#newestBeforeMs;
  }

  /** Reads the clocks by which the age of stored samples is known. */
  readPresent(): Present {
    const { clock, bootId = null } = this.#options;
    const instant = readInstant(clock);
    const receiver = this.#table.receiverClock();
    const { trust, storedMs } = this.#interpret(instant);
    const isTrusted = receiver !== undefined && trust === Trust.confirmed;
    const trustedMs = isTrusted ? receiver.bootedAtMs + instant.sinceBootMs : undefined;
    return { bootId, sinceBootMs: instant.sinceBootMs, storedMs, trustedMs };
  }

  /** How far the wall clock is ahead of the receiver's, in milliseconds; undefined until they were compared in this boot. */
  skewMs(): number | undefined {
    const receiver = this.#table.receiverClock();
    const { clock } = this.#options;
    return receiver === undefined ? undefined : clock.now() - clock.sinceBoot() - receiver.bootedAtMs;
  }

  /**
   * Records, inside the transaction that stores them, which ids a moment's samples begin with. Also corrects the time of
   * held samples if their clock has become known.
   */
  record({ epoch }: Moment, firstId: number): void {
    const known = this.#recorded.epoch;
    const write = planWrite(known, epoch);
    if (write === 'insert') {
      this.#table.add(firstId, epoch);
      this.#recorded = { epoch, count: this.#table.count() };
    } else {
      if (write === 'confirm') this.#table.confirmNewest();
      this.#recorded = { epoch: known?.trust === Trust.confirmed ? known : epoch, count: this.#recorded.count };
    }
    const by = this.#table.receiverClock()?.bootedAtMs;
    if (write !== 'insert' && this.#correctedBy === by) return;
    this.#correctedBy = by;
    this.#correctHeld(firstId, epoch);
  }

  /**
   * Records, inside the transaction that stores them, that samples of another database begin at an id. The next samples of
   * this process begin an epoch of their own again.
   *
   * @param epoch the same object for as long as it is the same epoch
   */
  recordForeign(epoch: ForeignEpoch, firstId: number): void {
    if (this.#recorded.foreign === epoch) return;
    this.#table.addForeign(firstId, epoch);
    this.#recorded = { epoch: undefined, foreign: epoch, count: this.#recorded.count };
  }

  /** Forgets what a failed transaction recorded. */
  forget(): void {
    this.#recorded = this.#readRecorded();
    this.#correctedBy = 'never';
  }

  #interpret(instant: Instant): ClockReading {
    return interpret(instant, this.#basis, this.#table.receiverClock());
  }

  #readRecorded(): Recorded {
    return { epoch: this.#table.newest(), count: this.#table.count() };
  }

  #correctHeld(firstId: number, epoch: Epoch): void {
    const bootedAtMs = epoch.trust === Trust.no ? undefined : epoch.offsetMs + epoch.bootBaseMs;
    const { corrected, lost } = this.#table.correctHeld(firstId, bootedAtMs);
    if (corrected > 0) this.#options.logger.info('held samples corrected', { epochs: corrected });
    if (lost > 0) this.#options.logger.warn('samples without corrected time rejected', { epochs: lost });
  }

  #log({ stepMs, isHarmless }: EpochChange, { trust, reason }: Epoch): void {
    const { logger } = this.#options;
    const fields = { step_ms: Math.round(stepMs), trusted: trust !== Trust.no, reason };
    if (isHarmless) logger.info('clock epoch started', fields);
    else logger.warn('wall clock stepped', fields);
  }
}
