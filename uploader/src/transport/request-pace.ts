/*
 * The pace of requests behind a proxy that limits them (nginx' limit_req with 503, others with 429): how long after the
 * last request the next one may come. Each refused request carries its body for nothing, and costs a backoff.
 *
 *   no pace       refused                                → suspected
 *   suspected     refused again                          → paced: half as much again as the gap that was refused
 *                 accepted, TRIAL_AFTER times in a row
 *                                                        → no pace, and TRIAL_AFTER as at the start
 *   paced         refused                                → twice the gap, at most MAX_GAP_MS
 *                 accepted, TRIAL_AFTER times in a row
 *                                                        → half the gap on trial; below MIN_GAP_MS: suspected
 *   on trial      refused                                → the gap of before, and TRIAL_AFTER doubles: ever fewer requests
 *                                                          are refused
 *
 * A refusal is the first one after an accepted request, if the receiver accepts again soon: an outage, however many attempts
 * fail in it, is no limit. A receiver that refused once, or after a long gap, is not paced, so that it gets a backlog as
 * fast as it can.
 */

/** Accepted requests in a row before a shorter gap is tried. */
const TRIAL_AFTER = 20;
const MAX_TRIAL_AFTER = 160;
const MIN_GAP_MS = 20;
/** Less often than this, uploads come by themselves. */
const MAX_GAP_MS = 10_000;
const GROWTH = 1.5;
/** A limit passes within a backoff or two; what takes longer is an outage. */
const MAX_REFUSED_MS = 30_000;

interface Refusal {
  readonly atMs: number;
  /** After the last accepted request. */
  readonly gapMs: number;
}

/** Learns how often a receiver accepts requests. Times are of the monotonic clock, when a request begins. */
export class RequestPace {
  #gapMs = 0;
  #isSuspected = false;
  /** The gap before the one that is on trial. */
  #provenGapMs: number | undefined;
  #trialAfter = TRIAL_AFTER;
  #acceptedInARow = 0;
  #lastAtMs = -Infinity;
  #lastAcceptedAtMs = -Infinity;
  #refusal: Refusal | undefined;

  /** Returns how long to wait before a request. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#lastAtMs + this.#gapMs - nowMs);
  }

  /** Learns from a request that was accepted. */
  accepted(atMs: number): void {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    this.#lastAtMs = atMs;
    this.#lastAcceptedAtMs = atMs;
    if (refusal !== undefined && refusal.gapMs <= MAX_GAP_MS && atMs - refusal.atMs <= MAX_REFUSED_MS)
      return this.#slowDown(refusal.gapMs);
    this.#acceptedInARow += 1;
    if (this.#acceptedInARow >= this.#trialAfter) this.#speedUp();
  }

  /** Learns from a request that a limit may have refused. */
  refused(atMs: number): void {
    this.#refusal ??= { atMs, gapMs: atMs - this.#lastAcceptedAtMs };
    this.#lastAtMs = atMs;
  }

  #slowDown(refusedGapMs: number): void {
    this.#acceptedInARow = 0;
    if (this.#provenGapMs !== undefined) {
      this.#gapMs = this.#provenGapMs;
      this.#provenGapMs = undefined;
      this.#trialAfter = Math.min(2 * this.#trialAfter, MAX_TRIAL_AFTER);
    } else if (this.#isSuspected)
      this.#gapMs = Math.min(Math.max(2 * this.#gapMs, GROWTH * refusedGapMs, MIN_GAP_MS), MAX_GAP_MS);
    this.#isSuspected = true;
  }

  #speedUp(): void {
    this.#acceptedInARow = 0;
    if (this.#gapMs === 0) {
      this.#isSuspected = false;
      this.#provenGapMs = undefined;
      this.#trialAfter = TRIAL_AFTER;
      return;
    }
    this.#provenGapMs = this.#gapMs;
    this.#gapMs = this.#gapMs / 2 < MIN_GAP_MS ? 0 : this.#gapMs / 2;
  }
}
