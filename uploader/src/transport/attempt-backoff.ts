import type { Clock } from '@thugshells/shared/clock.ts';

import { calculateBackoff, type BackoffPolicy } from './backoff.ts';

export interface AttemptBackoffOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly policy: BackoffPolicy;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
}

/** Until when nothing may be sent, by the monotonic clock; −Infinity if nothing speaks against it. */
export interface Pause {
  /** The receiver asked for it. */
  readonly askedUntil: number;
  /** The backoff; it is over when the receiver is known to be back. */
  readonly backoffUntil: number;
  /** Whether the last attempt got a response: then a lost one is not why nothing was accepted. */
  readonly hasResponse: boolean;
}

export const NO_PAUSE: Pause = { askedUntil: -Infinity, backoffUntil: -Infinity, hasResponse: false };

/** What the receiver asked for in a failed attempt, and whether it responded at all. */
export interface FailedResponse {
  readonly askedMs: number;
  readonly hasResponse: boolean;
}

/** A request that was refused for what it is will be refused again: a person has to change something first. */
const MIN_REFUSED_INITIAL_MS = 5_000;
const MIN_REFUSED_MAX_MS = 15_000;

/**
 * The one clock for all attempts at a receiver that does not accept samples, whoever makes them. Each failure in a row
 * lengthens the wait, up to the maximum. What varies at random is drawn once for a row: no chance makes a wait shorter than
 * the one before it.
 *
 *   accepted         no wait; the next failure is the first one of its row
 *   failed           the wait of the policy, or what the receiver asked for if that is longer
 *   refused          the wait of the policy, but never below some seconds
 *   refusedSamples   the same, but none right after an accepted attempt: one more attempt shows whether the refusal was
 *                    about those samples
 */
export class AttemptBackoff {
  readonly #options: AttemptBackoffOptions;
  #failures = 0;
  #draw: number | undefined;
  #hasAccepted = false;
  #pause = NO_PAUSE;

  constructor(options: AttemptBackoffOptions) {
    this.#options = options;
  }

  /** The number of failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** What the last attempt left to be waited for. */
  get pause(): Pause {
    return this.#pause;
  }

  /** The receiver accepted something. */
  accepted(): void {
    this.#failures = 0;
    this.#draw = undefined;
    this.#hasAccepted = true;
    this.#pause = NO_PAUSE;
  }

  /** An attempt failed that may succeed later; returns for how many milliseconds nothing may be sent. */
  failed(response: FailedResponse): number {
    return this.#fail(this.#options.policy, response);
  }

  /** The receiver refuses requests such as the last one; returns for how many milliseconds nothing may be sent. */
  refused(): number {
    const { policy } = this.#options;
    const initialMs = Math.max(policy.initialMs, MIN_REFUSED_INITIAL_MS);
    const maxMs = Math.max(policy.maxMs, MIN_REFUSED_MAX_MS, initialMs);
    return this.#fail({ ...policy, initialMs, maxMs }, { askedMs: 0, hasResponse: true });
  }

  /** The receiver refuses samples; returns for how long nothing may be sent: 0 if it accepted others right before. */
  refusedSamples(): number {
    if (this.#failures > 0 || !this.#hasAccepted) return this.refused();
    this.#failures = 1;
    return 0;
  }

  #fail(policy: BackoffPolicy, { askedMs, hasResponse }: FailedResponse): number {
    const { clock, random } = this.#options;
    this.#failures += 1;
    const draw = (this.#draw ??= random());
    const backoffMs = calculateBackoff(this.#failures, policy, () => draw);
    const waitMs = Math.max(backoffMs, askedMs);
    const nowMs = clock.monotonic();
    this.#pause = { askedUntil: nowMs + askedMs, backoffUntil: nowMs + waitMs, hasResponse };
    return waitMs;
  }
}
