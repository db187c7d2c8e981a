import type { Clock } from '@thugshells/shared/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it; whoever sleeps is woken in the order in which they are due. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #suspendedMs = 0;
  readonly #bootedBeforeMs: number;
  readonly #sleepers = new Set<Sleeper>();
  /** The length of every sleep so far, in milliseconds. */
  readonly sleeps: number[] = [];

  /** @param bootedBeforeMs how long the machine has been up when this process begins */
  constructor(wallMs = 1_700_000_000_000, bootedBeforeMs = 60_000) {
    this.#wallMs = wallMs;
    this.#bootedBeforeMs = bootedBeforeMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  sinceBoot(): number {
    return this.#bootedBeforeMs + this.#monotonicMs + this.#suspendedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    if (ms <= 0 || signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const sleeper = { dueMs: this.#monotonicMs + ms, wake: () => end() };
      const end = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      signal?.addEventListener('abort', end, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** How many are asleep. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Milliseconds until the next one wakes; undefined where nobody sleeps. */
  get nextWakeMs(): number | undefined {
    const due = [...this.#sleepers].map(({ dueMs }) => dueMs);
    return due.length === 0 ? undefined : Math.min(...due) - this.#monotonicMs;
  }

  /** Lets time pass, wall clock and monotonic alike, and lets those who wake run on before it passes further. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    for (let next = this.#nextBefore(untilMs); next !== undefined; next = this.#nextBefore(untilMs)) {
      this.#pass(Math.max(0, next.dueMs - this.#monotonicMs));
      next.wake();
      await settle();
    }
    this.#pass(untilMs - this.#monotonicMs);
    await settle();
  }

  /** Sets the wall clock alone, as a person or NTP does. */
  step(ms: number): void {
    this.#wallMs += ms;
  }

  /** Time goes by while the machine is suspended: the monotonic clock and everybody who sleeps stand still. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
    this.#wallMs += ms;
  }

  #nextBefore(untilMs: number): Sleeper | undefined {
    return [...this.#sleepers].sort((a, b) => a.dueMs - b.dueMs).find(({ dueMs }) => dueMs <= untilMs);
  }

  #pass(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
