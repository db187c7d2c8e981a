import type { Clock } from '@thugshells/shared/clock.ts';

/**
 * Limits the average rate at which the backlog is sent: a chunk is sent whole, and the next one is delayed until the rate
 * allows for both. The newest samples are not limited.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  #paidAt = -Infinity;

  /** @param bytesPerSecond 0 for no limit */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Waits until the next chunk may be sent; returns false if that is after `untilMonotonicMs`, or `stop` is aborted. */
  async wait(untilMonotonicMs: number, stop: AbortSignal): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#paidAt > untilMonotonicMs) return false;
    if (this.#paidAt > now) await this.#clock.sleep(this.#paidAt - now, stop);
    return !stop.aborted;
  }

  /** Counts bytes that were sent. */
  spend(bytes: number): void {
    if (this.#bytesPerMs > 0) this.#paidAt = Math.max(this.#paidAt, this.#clock.monotonic()) + bytes / this.#bytesPerMs;
  }
}
