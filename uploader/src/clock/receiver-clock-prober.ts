import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

import {
  HALF_DATE_RESOLUTION_MS,
  toBootTime,
  type BootTime,
  type DateAnswer,
  type ReceiverClock,
} from './receiver-clock.ts';

export interface ReceiverClockProberOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly receiverClock: ReceiverClock;
  readonly clockSkewIntervalMs: number;
  /** Requests the receiver's Date header; rejects when no response comes. */
  readonly requestDate: (signal: AbortSignal) => Promise<DateAnswer>;
  /** Requests of a measurement; by default as many as it takes to be right within a third of half a second. */
  readonly requests?: number;
  /** Whether a measurement is needed when it is due; it is by default. */
  readonly isNeeded?: () => boolean;
}

/** Requests of a measurement by default, at different fractions of a second; their median is within a third of half a second. */
const REQUESTS = 3;
const BETWEEN_REQUESTS_MS = 333;
/** Between two measurements while a portal may have written the time that is known: samples may be held because of it. */
const DOUBTFUL_INTERVAL_MS = 30_000;

/** The result of a response: when this machine booted by the receiver's clock, or nothing if it has no Date. */
export type DateResponse = BootTime | 'undated';

/** Returns the middle value; undefined if there is none. */
export function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Measures the receiver's clock at start and then at an interval. */
export class ReceiverClockProber {
  readonly #options: ReceiverClockProberOptions;

  constructor(options: ReceiverClockProberOptions) {
    this.#options = options;
  }

  /**
   * Makes the first request of the first measurement, which `run` completes. Uploads wait for it: no sample may leave
   * before it is known how wrong its time may be, unless the receiver does not respond.
   */
  async measureFirst(stop: AbortSignal): Promise<DateResponse | undefined> {
    const { receiverClock } = this.#options;
    const first = await this.#request(stop);
    if (first !== undefined && first !== 'undated' && !receiverClock.isKnown) receiverClock.set(first);
    return first;
  }

  /** Measures until `stop` is aborted. @param first the result of `measureFirst` */
  async run(first: DateResponse | undefined, stop: AbortSignal): Promise<void> {
    const { clock, receiverClock, clockSkewIntervalMs, isNeeded = () => true } = this.#options;
    if (first !== undefined) await this.#complete(first, stop);
    const intervalMs = (): number =>
      receiverClock.isDoubtful ? Math.min(DOUBTFUL_INTERVAL_MS, clockSkewIntervalMs) : clockSkewIntervalMs;
    for await (const _ of ticks(clock, { intervalMs, firstInMs: intervalMs(), stop }))
      if (isNeeded()) await this.measure(stop);
  }

  /** Measures once: the median of several requests. Without a response what was known before stays. */
  async measure(stop: AbortSignal): Promise<void> {
    const first = await this.measureFirst(stop);
    if (first !== undefined) await this.#complete(first, stop);
  }

  async #complete(first: DateResponse, stop: AbortSignal): Promise<void> {
    const { clock, receiverClock, requests = REQUESTS } = this.#options;
    const responses = [first];
    while (responses.length < requests && !stop.aborted) {
      await clock.sleep(BETWEEN_REQUESTS_MS, stop);
      const next = stop.aborted ? undefined : await this.#request(stop);
      if (next === undefined) break;
      responses.push(next);
    }
    const measured = responses.filter((response) => response !== 'undated');
    if (stop.aborted || measured.length === 0) return;
    // Of requests spread over a second, the median lies within a fraction of the half second that each may be off.
    const errorMs =
      HALF_DATE_RESOLUTION_MS / measured.length +
      Math.max(...measured.map((each) => each.errorMs)) -
      HALF_DATE_RESOLUTION_MS;
    const isProven = measured.every((each) => each.isProven);
    receiverClock.set({ bootedAtMs: median(measured.map(({ bootedAtMs }) => bootedAtMs))!, errorMs, isProven });
  }

  /** Returns undefined if no response came. */
  async #request(stop: AbortSignal): Promise<DateResponse | undefined> {
    const { clock, logger, receiverClock, requestDate } = this.#options;
    const sentAtMs = clock.sinceBoot();
    try {
      const { isReceivers, ...answer } = await requestDate(stop);
      return toBootTime({ ...answer, sentAtMs, receivedAtMs: clock.sinceBoot() }, isReceivers) ?? 'undated';
    } catch (error) {
      // The upload itself reports a receiver that is away; health names what CLOCK_SKEW_URL came to.
      receiverClock.failed(toErrorMessage(error));
      logger.debug('receiver clock request failed', { error: toErrorMessage(error) });
      return undefined;
    }
  }
}
