import type { Clock } from '@thugshells/shared/clock.ts';
import { messageOf } from '@thugshells/shared/errors.ts';
import { errorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import type { ClockSkewPolicy } from '@thugshells/shared/state/receiver-clock.ts';

import type { ReceiverClockTable } from './receiver-clock-table.ts';

export interface ReceiverClockOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: ReceiverClockTable;
  readonly clockSkewIntervalMs: number;
  readonly clockSkewWarnMs: number;
  readonly clockSkewPolicy: ClockSkewPolicy;
  /** Asks the receiver for its Date header. */
  readonly askDate: (signal: AbortSignal) => Promise<string | undefined>;
}

/** A Date header tells whole seconds, so the middle of its second is the best guess: half a second of error at most. */
const HALF_DATE_RESOLUTION_MS = 500;
/** Tries at different places of a second; their median is within a third of that half second. */
const TRIES = 3;
const BETWEEN_TRIES_MS = 333;

/** One answer's Date, with the time since boot before the request and after the answer. */
export interface DatedResponse {
  readonly date: string | undefined;
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

/**
 * When this machine booted by the clock that wrote the answer's Date, Unix milliseconds, and by how much that may be
 * wrong: half a second for what a Date does not say, and half the round trip, since nobody knows which way took longer.
 */
export function toBootTime({
  date,
  sentAtMs,
  receivedAtMs,
}: DatedResponse): { readonly ms: number; readonly errorMs: number } | undefined {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return undefined;
  const ms = theirs + HALF_DATE_RESOLUTION_MS - (sentAtMs + receivedAtMs) / 2;
  return { ms, errorMs: HALF_DATE_RESOLUTION_MS + (receivedAtMs - sentAtMs) / 2 };
}

/** The middle one; undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** What is known of the receiver's clock. */
interface Known {
  /** When this machine booted by it. */
  readonly bootedAtMs: number;
  readonly errorMs: number;
}

/**
 * Compares this clock with the receiver's at start and then at its interval, and listens to the Date of every upload's
 * answer. What is kept is when the machine booted by the receiver's clock: a step of this clock does not touch that, so
 * the skew is right from the moment of the step on.
 */
export class ReceiverClock {
  readonly #options: ReceiverClockOptions;
  #known: Known | undefined;
  #beyond = false;
  #firstTried: () => void = () => undefined;
  /** Resolves after the first try, with or without an answer: nothing may leave before it is known how wrong its time may be. */
  readonly firstTry: Promise<void>;

  constructor(options: ReceiverClockOptions) {
    this.#options = options;
    this.firstTry = new Promise((resolve) => (this.#firstTried = resolve));
  }

  /** Milliseconds that this clock is ahead; undefined until the first comparison. */
  get skewMs(): number | undefined {
    const receiverMs = this.receiverNow();
    return receiverMs === undefined ? undefined : this.#options.clock.now() - receiverMs;
  }

  /** By how much `skewMs` may be wrong, either way. */
  get errorMs(): number | undefined {
    return this.#known?.errorMs;
  }

  /** What the receiver's clock says now, Unix milliseconds; undefined until the first comparison. */
  receiverNow(): number | undefined {
    return this.#known === undefined ? undefined : this.#known.bootedAtMs + this.#options.clock.sinceBoot();
  }

  /** What the time is: by the clock that samples are stamped by. */
  now(): number {
    const { clock, clockSkewPolicy } = this.#options;
    return clockSkewPolicy === 'correct' ? (this.receiverNow() ?? clock.now()) : clock.now();
  }

  async run(stop: AbortSignal): Promise<void> {
    const { clock, clockSkewIntervalMs } = this.#options;
    while (!stop.aborted) {
      await this.measure(stop);
      await clock.sleep(clockSkewIntervalMs, stop);
    }
  }

  /** One comparison: the median of several tries; none leaves the last one standing. */
  async measure(stop: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const answers: Known[] = [];
    for (let attempt = 0; attempt < TRIES && !stop.aborted; attempt++) {
      if (attempt > 0) await clock.sleep(BETWEEN_TRIES_MS, stop);
      try {
        const found = toBootTime(await this.#ask(stop));
        if (found !== undefined) answers.push({ bootedAtMs: found.ms, errorMs: found.errorMs });
        if (this.#known === undefined && found !== undefined) this.#learn(answers[0]!);
      } catch (error) {
        // The upload itself tells of a receiver that is away; a second voice would say the same.
        logger.debug('the clock could not be compared', { error: messageOf(error) });
        break;
      } finally {
        this.#firstTried();
      }
    }
    this.#firstTried();
    const bootedAtMs = median(answers.map((answer) => answer.bootedAtMs));
    if (bootedAtMs === undefined || stop.aborted) return;
    // Of tries spread over a second, the middle one lies within a part of the half second that each may be off.
    const errorMs =
      HALF_DATE_RESOLUTION_MS / answers.length +
      Math.max(...answers.map((answer) => answer.errorMs)) -
      HALF_DATE_RESOLUTION_MS;
    this.#learn({ bootedAtMs, errorMs });
  }

  /** Learns from an answer that came anyway: where the comparison has nothing better, or is contradicted by it. */
  learnFrom(answer: DatedResponse): void {
    const found = toBootTime(answer);
    if (found === undefined) return;
    const agrees =
      this.#known !== undefined && Math.abs(found.ms - this.#known.bootedAtMs) <= found.errorMs + this.#known.errorMs;
    if (agrees) this.#judge();
    else this.#learn({ bootedAtMs: found.ms, errorMs: found.errorMs });
  }

  async #ask(stop: AbortSignal): Promise<DatedResponse> {
    const { clock, askDate } = this.#options;
    const sentAtMs = clock.sinceBoot();
    const date = await askDate(stop);
    return { date, sentAtMs, receivedAtMs: clock.sinceBoot() };
  }

  #learn(known: Known): void {
    const { table, logger, clockSkewPolicy: policy } = this.#options;
    this.#known = known;
    try {
      table.save({ bootedAtMs: known.bootedAtMs, policy, measuredAtMs: this.receiverNow()! });
    } catch (error) {
      // A disk that is full costs the collector its knowledge of it, not the uploads.
      logger.warn('the receiver’s clock could not be stored', errorFields(error));
    }
    this.#judge();
  }

  #judge(): void {
    const { logger, clockSkewWarnMs: warnMs } = this.#options;
    const skewMs = this.skewMs ?? 0;
    const beyond = Math.abs(skewMs) > warnMs;
    if (beyond === this.#beyond) return;
    this.#beyond = beyond;
    const fields = { skew_ms: Math.round(skewMs), limit_ms: warnMs };
    if (beyond) logger.warn('this clock differs from the receiver’s', fields);
    else logger.warn('this clock agrees with the receiver’s again', fields);
  }
}
