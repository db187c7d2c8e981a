import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import { isBootTime, type ClockSkewPolicy } from '@thugshells/shared/state/receiver-clock.ts';

import type { ReceiverClockTable } from './receiver-clock-table.ts';

export interface ReceiverClockOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: ReceiverClockTable;
  readonly clockSkewWarnMs: number;
  readonly clockSkewPolicy: ClockSkewPolicy;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
}

/** A Date header has whole seconds, so the middle of its second is the best estimate: half a second of error at most. */
export const HALF_DATE_RESOLUTION_MS = 500;

/** The Date of one response, with the milliseconds since boot before the request and after the response. */
export interface DatedResponse {
  readonly date?: string | undefined;
  /** For how many seconds a cache has kept the response (RFC 9111, section 5.1). */
  readonly age?: string | undefined;
  readonly sentAtMs?: number;
  readonly receivedAtMs?: number;
}

/** The time in a response to a request without samples. */
export interface DateAnswer {
  /** The Date header; undefined without one, and in a response that is not from the receiver. */
  readonly date?: string | undefined;
  /** The Age header. */
  readonly age?: string | undefined;
  /** Whether only the receiver, or the server that CLOCK_SKEW_URL names, can have written it. */
  readonly isReceivers: boolean;
}

/** When this machine booted by the receiver's clock. */
export interface BootTime {
  /** Unix milliseconds. */
  readonly bootedAtMs: number;
  /** By how much that may be wrong, either way. */
  readonly errorMs: number;
  /** Whether the receiver itself wrote it; otherwise it may be the time of a portal or a proxy. */
  readonly isProven: boolean;
}

/** How many uploads in a row have to contradict what is known before it is replaced. */
const CONTRADICTIONS = 3;
const AGE_RESOLUTION_MS = 1_000;
/** The collector believes its clock up to this skew. */
const MAX_SKEW_MS = 86_400_000;
/** After a failure, storing is retried with the first response that comes this much later. */
const STORE_RETRY_MS = 10_000;

/**
 * Returns when this machine booted by the clock that wrote a response's Date; undefined without a Date. The error is half
 * a second, which a Date does not resolve, and half the round trip, since nobody knows which direction took longer. A Date
 * beyond the year 9999 is none: no sample may have such a time.
 *
 * @param isProven whether the receiver itself wrote the response
 */
export function toBootTime(
  { date, age = '', sentAtMs, receivedAtMs }: DatedResponse,
  isProven: boolean,
): BootTime | undefined {
  const receiverMs = Date.parse(date ?? '');
  if (!isBootTime(receiverMs) || sentAtMs === undefined || receivedAtMs === undefined) return undefined;
  const ageMs = /^\d{1,9}$/.test(age.trim()) ? Number(age) * 1000 : 0;
  return {
    bootedAtMs: receiverMs + ageMs + HALF_DATE_RESOLUTION_MS - (sentAtMs + receivedAtMs) / 2,
    errorMs: HALF_DATE_RESOLUTION_MS + (receivedAtMs - sentAtMs) / 2 + (ageMs > 0 ? AGE_RESOLUTION_MS : 0),
    isProven,
  };
}

/** Whether two times may be the same. */
export function doAgree(one: BootTime, other: BootTime): boolean {
  return Math.abs(one.bootedAtMs - other.bootedAtMs) <= one.errorMs + other.errorMs;
}

/**
 * The receiver's clock, as far as it is known. What is kept is when the machine booted by it: a step of this machine's
 * clock does not change that, so the skew is right from the moment of the step on.
 *
 *   nothing known   any plausible time is learned: without one, samples of a wrong clock could never be sent
 *   unproven        anybody between here and the receiver may have written it; the first time of the receiver's own
 *                   replaces it
 *   proven          only the receiver's own time replaces it: a measurement of several requests, or as many uploads in
 *                   a row that contradict it and agree with each other
 */
export class ReceiverClock {
  readonly #options: ReceiverClockOptions;
  #known: BootTime | undefined;
  /** The times of the last uploads, if they contradict what is known and agree with each other. */
  #contradictions: readonly BootTime[] = [];
  /** When to store it again, by the monotonic clock; undefined once it is stored. */
  #storeAt: number | undefined;
  #isSkewed = false;
  #failure: string | undefined;

  constructor(options: ReceiverClockOptions) {
    this.#options = options;
  }

  /** Whether it has been measured since this process started. */
  get isKnown(): boolean {
    return this.#known !== undefined;
  }

  /** Why no time could be learned the last time; undefined if one was. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Whether somebody else than the receiver may have written what is known. */
  get isDoubtful(): boolean {
    return this.#known?.isProven === false;
  }

  /** Milliseconds that this machine's clock is ahead; undefined until the first measurement. */
  get skewMs(): number | undefined {
    const receiverMs = this.receiverNow();
    return receiverMs === undefined ? undefined : this.#options.clock.now() - receiverMs;
  }

  /** By how much `skewMs` may be wrong, either way. */
  get errorMs(): number | undefined {
    return this.#known?.errorMs;
  }

  /** Returns the receiver's time, Unix milliseconds; undefined until the first measurement. */
  receiverNow(): number | undefined {
    return this.#known === undefined ? undefined : this.#known.bootedAtMs + this.#options.clock.sinceBoot();
  }

  /** Returns the latest time that it may be by the receiver's clock: while that is in doubt, no sample is too far ahead. */
  latestReceiverNow(): number | undefined {
    const receiverMs = this.receiverNow();
    if (receiverMs === undefined) return undefined;
    return Math.max(receiverMs, ...this.#otherTimes());
  }

  /** Returns the earliest time that it may be by the receiver's clock: while that is in doubt, no sample is too old. */
  earliestReceiverNow(): number | undefined {
    const receiverMs = this.receiverNow();
    if (receiverMs === undefined) return undefined;
    return Math.min(receiverMs - this.#known!.errorMs, ...this.#otherTimes());
  }

  /** Returns the time by the clock that samples are stamped by, Unix milliseconds. */
  now(): number {
    const { clock, clockSkewPolicy } = this.#options;
    return clockSkewPolicy === 'correct' ? (this.receiverNow() ?? clock.now()) : clock.now();
  }

  /**
   * Returns the time for a sample of this moment that the collector does not store, in whole Unix milliseconds: by the
   * receiver's clock where this one is so far off that the collector's samples are held; undefined while none can be right.
   */
  stampNow(): number | undefined {
    const nowMs = this.now();
    const receiverMs = this.receiverNow();
    if (receiverMs !== undefined) return Math.round(Math.abs(nowMs - receiverMs) > MAX_SKEW_MS ? receiverMs : nowMs);
    return nowMs >= this.#options.builtAtMs ? Math.round(nowMs) : undefined;
  }

  /** No response came to a request for the time. */
  failed(reason: string): void {
    this.#failure = reason;
  }

  /** Replaces what is known by a measurement, unless that is less certain. */
  set(known: BootTime): void {
    if (!known.isProven && (this.#known?.isProven === true || !this.#isPlausible(known))) return;
    this.#known = known;
    this.#failure = undefined;
    this.#contradictions = [];
    this.#store(known);
    this.#logSkew();
  }

  /** Learns from the response to samples that the receiver accepted. */
  learnFrom(response: DatedResponse): void {
    const measured = toBootTime(response, true);
    if (measured === undefined) return;
    if (this.#known === undefined) return this.set(measured);
    if (doAgree(measured, this.#known)) {
      this.#known = { ...this.#known, isProven: true };
      this.#contradictions = [];
      if (this.#storeAt !== undefined && this.#options.clock.monotonic() >= this.#storeAt) this.#store(this.#known);
      return this.#logSkew();
    }
    const others = this.#contradictions.filter((other) => doAgree(measured, other));
    this.#contradictions = [...others, measured];
    if (!this.#known.isProven || this.#contradictions.length >= CONTRADICTIONS) this.set(measured);
  }

  /** Returns the times that speak against what is known. */
  #otherTimes(): number[] {
    const { clock } = this.#options;
    const others = this.#contradictions.map(({ bootedAtMs }) => bootedAtMs + clock.sinceBoot());
    return this.#known?.isProven === false ? [...others, clock.now()] : others;
  }

  /** Whether a receiver may have that time: none has one from before this program was built. */
  #isPlausible({ bootedAtMs }: BootTime): boolean {
    const { clock, logger, builtAtMs } = this.#options;
    const receiverMs = bootedAtMs + clock.sinceBoot();
    if (receiverMs >= builtAtMs) return true;
    logger.debug('time of another server ignored', { before_build_ms: Math.round(builtAtMs - receiverMs) });
    return false;
  }

  #store({ bootedAtMs }: BootTime): void {
    const { table, clock, logger, clockSkewPolicy: policy } = this.#options;
    try {
      table.save({ bootedAtMs, policy, measuredAtMs: this.receiverNow()! });
      this.#storeAt = undefined;
    } catch (error) {
      // A full disk or a lock keeps it from the collector; it must not end the uploads.
      if (this.#storeAt === undefined) logger.warn('cannot store receiver clock', toErrorFields(error));
      this.#storeAt = clock.monotonic() + STORE_RETRY_MS;
    }
  }

  #logSkew(): void {
    const { logger, clockSkewWarnMs: warnMs } = this.#options;
    const skewMs = this.skewMs ?? 0;
    const isSkewed = Math.abs(skewMs) > warnMs;
    if (isSkewed === this.#isSkewed) return;
    this.#isSkewed = isSkewed;
    const fields = { skew_ms: Math.round(skewMs), limit_ms: warnMs };
    if (isSkewed) logger.warn('clock skew exceeds limit', fields);
    else logger.warn('clock skew within limit again', fields);
  }
}
