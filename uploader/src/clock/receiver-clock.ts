import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import type { ClockSkewPolicy } from '@thugshells/shared/state/receiver-clock.ts';

import type { ReceiverClockTable } from './receiver-clock-table.ts';

export interface ReceiverClockOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: ReceiverClockTable;
  readonly clockSkewWarnMs: number;
  readonly clockSkewPolicy: ClockSkewPolicy;
}

/** A Date header has whole seconds, so the middle of its second is the best estimate: half a second of error at most. */
export const HALF_DATE_RESOLUTION_MS = 500;

/** The Date of one response, with the milliseconds since boot before the request and after the response. */
export interface DatedResponse {
  readonly date?: string | undefined;
  readonly sentAtMs?: number;
  readonly receivedAtMs?: number;
}

/** When this machine booted by the receiver's clock. */
export interface BootTime {
  /** Unix milliseconds. */
  readonly bootedAtMs: number;
  /** By how much that may be wrong, either way. */
  readonly errorMs: number;
}

/**
 * Returns when this machine booted by the clock that wrote a response's Date; undefined without a Date. The error is half
 * a second, which a Date does not resolve, and half the round trip, since nobody knows which direction took longer.
 */
export function toBootTime({ date, sentAtMs, receivedAtMs }: DatedResponse): BootTime | undefined {
  const receiverMs = Date.parse(date ?? '');
  if (Number.isNaN(receiverMs) || sentAtMs === undefined || receivedAtMs === undefined) return undefined;
  return {
    bootedAtMs: receiverMs + HALF_DATE_RESOLUTION_MS - (sentAtMs + receivedAtMs) / 2,
    errorMs: HALF_DATE_RESOLUTION_MS + (receivedAtMs - sentAtMs) / 2,
  };
}

/**
 * The receiver's clock, as far as it is known. What is kept is when the machine booted by it: a step of this machine's
 * clock does not change that, so the skew is right from the moment of the step on.
 */
export class ReceiverClock {
  readonly #options: ReceiverClockOptions;
  #known: BootTime | undefined;
  #isSkewed = false;

  constructor(options: ReceiverClockOptions) {
    this.#options = options;
  }

  /** Whether it has been measured since this process started. */
  get isKnown(): boolean {
    return this.#known !== undefined;
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

  /** Returns the time by the clock that samples are stamped by, Unix milliseconds. */
  now(): number {
    const { clock, clockSkewPolicy } = this.#options;
    return clockSkewPolicy === 'correct' ? (this.receiverNow() ?? clock.now()) : clock.now();
  }

  /** Replaces what is known by a measurement. */
  set(known: BootTime): void {
    const { table, logger, clockSkewPolicy: policy } = this.#options;
    this.#known = known;
    try {
      table.save({ bootedAtMs: known.bootedAtMs, policy, measuredAtMs: this.receiverNow()! });
    } catch (error) {
      // A full disk keeps it from the collector; it must not end the uploads.
      logger.warn('cannot store receiver clock', toErrorFields(error));
    }
    this.#logSkew();
  }

  /** Learns from the response to an upload: if nothing is known yet, or if it contradicts what is known. */
  learnFrom(response: DatedResponse): void {
    const measured = toBootTime(response);
    if (measured === undefined) return;
    const isConfirmed =
      this.#known !== undefined &&
      Math.abs(measured.bootedAtMs - this.#known.bootedAtMs) <= measured.errorMs + this.#known.errorMs;
    if (isConfirmed) this.#logSkew();
    else this.set(measured);
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
