import type { Clock } from '@thugshells/shared/clock.ts';

/**
 * Lets bytes of the backlog through at no more than a rate, over time: a chunk is sent whole, and what it was too large
 * for its moment is waited for before the next one. The newest samples do not pass here.
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

  /** Waits until the next chunk may go; false where that would be after `untilMonotonicMs`, or `stop` came first. */
  async wait(untilMonotonicMs: number, stop: AbortSignal): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#paidAt > untilMonotonicMs) return false;
    if (this.#paidAt > now) await this.#clock.sleep(this.#paidAt - now, stop);
    return !stop.aborted;
  }

  spend(bytes: number): void {
    if (this.#bytesPerMs > 0) this.#paidAt = Math.max(this.#paidAt, this.#clock.monotonic()) + bytes / this.#bytesPerMs;
  }
}
