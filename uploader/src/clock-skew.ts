import type { Clock } from '@thugshells/shared/clock.js';
import { messageOf } from '@thugshells/shared/errors.js';
import type { Database } from '@thugshells/shared/database/open.js';
import { errorFields, type Logger } from '@thugshells/shared/logger.js';

export interface ClockSkewOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly clockSkewIntervalMs: number;
  readonly clockSkewWarnMs: number;
  /** Asks the receiver for its Date header. */
  readonly askDate: (signal: AbortSignal) => Promise<string | undefined>;
}

/** A Date header tells whole seconds, so the middle of its second is the best guess: half a second of error at most. */
const HALF_DATE_RESOLUTION_MS = 500;
/** Tries at different places of a second; their median is within a fraction of that half second. */
const TRIES = 3;
const BETWEEN_TRIES_MS = 333;

/**
 * How far this clock is ahead of the one that wrote `date`, in milliseconds.
 *
 * @param sentMs and receivedMs: this clock before the request and after the answer
 */
export function skewOf(date: string | undefined, sentMs: number, receivedMs: number): number | undefined {
  const theirs = Date.parse(date ?? '');
  return Number.isNaN(theirs) ? undefined : (sentMs + receivedMs) / 2 - (theirs + HALF_DATE_RESOLUTION_MS);
}

/** The middle one; undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Compares this clock with the receiver's at start and then at its interval. */
export class ClockSkew {
  readonly #options: ClockSkewOptions;
  /** Milliseconds that this clock is ahead; undefined until the first comparison. */
  skewMs: number | undefined;
  #beyond = false;

  constructor(options: ClockSkewOptions) {
    this.#options = options;
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
    const skews: number[] = [];
    for (let attempt = 0; attempt < TRIES && !stop.aborted; attempt++) {
      if (attempt > 0) await clock.sleep(BETWEEN_TRIES_MS, stop);
      try {
        const skew = await this.#ask(stop);
        if (skew !== undefined) skews.push(skew);
      } catch (error) {
        // The upload itself tells of a receiver that is away; a second voice would say the same.
        logger.debug('the clock could not be compared', { error: messageOf(error) });
        break;
      }
    }
    const skew = median(skews);
    if (skew !== undefined && !stop.aborted) this.#learn(skew);
  }

  async #ask(stop: AbortSignal): Promise<number | undefined> {
    const { clock, askDate } = this.#options;
    const sentMs = clock.now();
    const date = await askDate(stop);
    return skewOf(date, sentMs, clock.now());
  }

  #learn(skewMs: number): void {
    const { database, logger, clockSkewWarnMs: warnMs } = this.#options;
    this.skewMs = skewMs;
    try {
      database.prepare('UPDATE uploader_state SET skew_ms = ?').run(skewMs);
    } catch (error) {
      // A disk that is full costs the collector's sample of it, not the uploads.
      logger.warn('the clock’s skew could not be stored', errorFields(error));
    }
    const beyond = Math.abs(skewMs) > warnMs;
    if (beyond === this.#beyond) return;
    this.#beyond = beyond;
    const fields = { skew_ms: Math.round(skewMs), limit_ms: warnMs };
    if (beyond) logger.warn('this clock differs from the receiver’s', fields);
    else logger.warn('this clock agrees with the receiver’s again', fields);
  }
}
