import type { Clock } from '@thugshells/shared/clock.ts';
import { merge, toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import type { ReceiverClock } from '../clock/receiver-clock.ts';
import { TOO_OLD_REASON, type RefusedRow } from '../encoding/rows/batch-columns.ts';
import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { Backlog } from '../queue/backlog.ts';
import type { RestartSign } from '../queue/restart-signs.ts';
import type { FlagsAnswer } from '../transport/query-client.ts';

/** What is done with samples that the receiver would drop because of their age. */
export type TooOldPolicy = 'reject' | 'hold';

/** What health shows of them. */
export interface TooOldState {
  /** Age from which the receiver drops samples, in milliseconds. */
  readonly acceptedAgeMs: number;
  /** Pending rows that are held; ids of deleted ones may be counted. */
  readonly held: number;
  /** Rows rejected since this process started. */
  readonly rejected: number;
}

export interface TooOldSamplesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: TooOldPolicy;
  readonly backlog: Pick<Backlog, 'findPendingIn'>;
  readonly acknowledgements: Pick<Acknowledgements, 'reject'>;
  readonly receiverClock: Pick<ReceiverClock, 'earliestReceiverNow'>;
  /** Reads the flags of the receiver; undefined if it is not known where it is read. */
  readonly findFlags: ((signal: AbortSignal) => Promise<FlagsAnswer>) | undefined;
  readonly stop: AbortSignal;
}

/** The flags are read only for samples that are older: VictoriaMetrics' shortest retention is a day. */
const OLD_MS = 86_400_000;
/** The flags of a receiver change with its restart, which is not always seen. They come with its metrics, some 10 KB. */
const READ_INTERVAL_MS = 600_000;
/** On a bad link connections end all the time, and requests fail. */
const RETRY_INTERVAL_MS = 60_000;
/** VictoriaMetrics' clock has whole seconds here. */
const MARGIN_MS = 1_000;

/**
 * Knows which samples the receiver would drop because of their age, and answer with success, and keeps them from being sent.
 *
 *   reject   they are quarantined with the reason
 *   hold     they stay pending. Their ids are remembered, so that each is read once, until the receiver's limit changes
 *
 * The encoder compares each row by its corrected time: of an exposition with timestamps, old rows may lie between newer
 * ones. While the limit is unknown, nothing is too old.
 */
export class TooOldSamples {
  readonly #options: TooOldSamplesOptions;
  #acceptedAgeMs: number | undefined;
  #held: readonly IdRange[] = [];
  #rejected = 0;
  #loggedRejected = 0;
  /** By the monotonic clock. */
  #readAt = -Infinity;
  #nextReadAt = -Infinity;

  constructor(options: TooOldSamplesOptions) {
    this.#options = options;
  }

  /** Undefined while the limit is unknown. */
  get state(): TooOldState | undefined {
    if (this.#acceptedAgeMs === undefined) return undefined;
    const held = this.#held.length === 0 ? [] : this.#options.backlog.findPendingIn(this.#held);
    const count = held.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    return { acceptedAgeMs: this.#acceptedAgeMs, held: count, rejected: this.#rejected };
  }

  /** Returns the time before which samples are too old, Unix milliseconds; −Infinity if that is unknown. */
  acceptedSinceMs(): number {
    const receiverMs = this.#options.receiverClock.earliestReceiverNow();
    if (this.#acceptedAgeMs === undefined || receiverMs === undefined) return -Infinity;
    return receiverMs - this.#acceptedAgeMs - MARGIN_MS;
  }

  /** Lists the ids that are held; ascending. */
  listHeld(): readonly IdRange[] {
    return this.#held;
  }

  /** Takes the rows that are too old from those that the encoder refused; returns the others. */
  take(refused: readonly RefusedRow[]): RefusedRow[] {
    const { policy, acknowledgements } = this.#options;
    const tooOld = refused.filter(({ reason }) => reason === TOO_OLD_REASON);
    if (tooOld.length === 0) return [...refused];
    if (policy === 'hold') this.#hold(tooOld.map(({ id }) => id));
    else {
      acknowledgements.reject(tooOld);
      this.#rejected += tooOld.length;
    }
    return refused.filter(({ reason }) => reason !== TOO_OLD_REASON);
  }

  /** Logs what was rejected since the last line. */
  logRejected(): void {
    const count = this.#rejected - this.#loggedRejected;
    this.#loggedRejected = this.#rejected;
    const { logger } = this.#options;
    if (count > 0) logger.warn('rejected samples older than accepted', { count, accepted_age_ms: this.#acceptedAgeMs });
  }

  /** The receiver may have been restarted, with other flags. */
  onRestartSign(sign: RestartSign): void {
    if (sign.kind !== 'connection ended') this.#nextReadAt = -Infinity;
    else if (!sign.isAnnounced) this.#nextReadAt = Math.min(this.#nextReadAt, this.#readAt + RETRY_INTERVAL_MS);
  }

  /**
   * Reads the limit, if something old is to be sent or is held, and the limit is unknown or may have changed.
   *
   * @param earliestMs time of the oldest sample that is to be sent, Unix milliseconds; Infinity for none
   * @returns whether it was read
   */
  async refresh(earliestMs = Infinity): Promise<boolean> {
    const { findFlags, clock, stop } = this.#options;
    const isDue = clock.monotonic() >= this.#nextReadAt && (this.#held.length > 0 || this.#isOld(earliestMs));
    if (findFlags === undefined || stop.aborted || !isDue) return false;
    const { flags, isAnswered } = await findFlags(stop);
    this.#readAt = clock.monotonic();
    this.#nextReadAt = this.#readAt + (isAnswered ? READ_INTERVAL_MS : RETRY_INTERVAL_MS);
    if (isAnswered) this.#learn(flags?.acceptedAgeMs);
    return true;
  }

  #isOld(earliestMs: number): boolean {
    const receiverMs = this.#options.receiverClock.earliestReceiverNow();
    return receiverMs !== undefined && earliestMs < receiverMs - OLD_MS;
  }

  #hold(ids: readonly number[]): void {
    const { logger } = this.#options;
    if (this.#held.length === 0)
      logger.warn('holding samples older than accepted', { accepted_age_ms: this.#acceptedAgeMs });
    this.#held = merge([...this.#held, ...toRanges(ids)]);
  }

  #learn(acceptedAgeMs: number | undefined): void {
    const before = this.#acceptedAgeMs;
    if (acceptedAgeMs === before) return;
    this.#acceptedAgeMs = acceptedAgeMs;
    // What it accepts now is sent; the others are found again.
    this.#held = [];
    this.#options.logger.info('age limit of receiver known', { accepted_age_ms: acceptedAgeMs, before_ms: before });
  }
}
