import type { Clock } from '@thugshells/shared/clock.ts';

const DAY_MS = 86_400_000;
/** The last day is remembered hour by hour. */
const MARK_INTERVAL_MS = 3_600_000;
/** A rate over less than this would mostly show the start of the process. */
const MIN_TIME_MS = 60_000;

/** Measures how much this process writes to the disk, which wears out SD cards. */
export class WrittenBytes {
  readonly #clock: Clock;
  readonly #read: () => number;
  /** Oldest first; the first one is at most a day and an hour old. */
  readonly #marks: { readonly atMs: number; readonly bytes: number }[];
  #taken: number;

  /** @param read returns the bytes that this process has written so far */
  constructor(clock: Clock, read: () => number) {
    this.#clock = clock;
    this.#read = read;
    this.#taken = read();
    this.#marks = [{ atMs: clock.monotonic(), bytes: this.#taken }];
  }

  /** Returns the bytes since the last call. */
  take(): number {
    const before = this.#taken;
    this.#taken = this.#read();
    return this.#taken - before;
  }

  /** Returns bytes per day over the last day, or since the start if that is later; null in the first minute. */
  perDay(): number | null {
    const nowMs = this.#clock.monotonic();
    const bytes = this.#read();
    if (nowMs - this.#marks.at(-1)!.atMs >= MARK_INTERVAL_MS) this.#marks.push({ atMs: nowMs, bytes });
    while (this.#marks.length > 1 && nowMs - this.#marks[1]!.atMs >= DAY_MS) this.#marks.shift();
    const since = this.#marks[0]!;
    const elapsedMs = nowMs - since.atMs;
    return elapsedMs < MIN_TIME_MS ? null : ((bytes - since.bytes) / elapsedMs) * DAY_MS;
  }
}
