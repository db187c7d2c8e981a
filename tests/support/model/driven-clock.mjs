import { setImmediate } from 'node:timers/promises';

/** A clock in another process, which stands still until it is told to go on. */
export class DrivenClock {
  #wallMs;
  #bootMs;
  #monotonicMs = 0;
  #sleepers = new Set();

  /** @param bootMs milliseconds since the board started */
  constructor(wallMs, bootMs) {
    this.#wallMs = wallMs;
    this.#bootMs = bootMs;
  }

  now() {
    return this.#wallMs;
  }

  monotonic() {
    return this.#monotonicMs;
  }

  sinceBoot() {
    return this.#bootMs + this.#monotonicMs;
  }

  sleep(ms, signal) {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { dueMs: this.#monotonicMs + ms, wake };
      signal?.addEventListener('abort', wake, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Sets the wall clock alone. */
  step(ms) {
    this.#wallMs += ms;
  }

  /** Lets time pass; whoever wakes runs on before it passes further. */
  async advance(ms) {
    const untilMs = this.#monotonicMs + ms;
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#pass(Math.max(0, next.dueMs - this.#monotonicMs));
      next.wake();
      await setImmediate();
    }
    this.#pass(untilMs - this.#monotonicMs);
  }

  #next(untilMs) {
    return [...this.#sleepers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
  }

  #pass(ms) {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }
}
