import type { Clock } from './clock.ts';

const DAY_MS = 86_400_000;
/** The last day is remembered hour by hour. */
const MARK_INTERVAL_MS = 3_600_000;
/** What a start writes and sends, such as new tables and what was left pending, is not counted. */
const START_UP_MS = 300_000;
/** A rate of less time varies: by its first 75 s a default device wrote 2.2 GB a day, by its first 5 min 640 MB. */
const KNOWN_AFTER_MS = 1_800_000;

/** Measures by how much a counter of this process grows in a day. It has to be asked at least every few minutes. */
export class DailyRate {
  readonly #clock: Clock;
  readonly #read: () => number | undefined;
  readonly #startedAt: number;
  /** Oldest first; the first one is at most a day and an hour old. Empty during start-up. */
  readonly #marks: { readonly atMs: number; readonly count: number }[] = [];

  /** @param read returns the counter; undefined if it cannot be read */
  constructor(clock: Clock, read: () => number | undefined) {
    this.#clock = clock;
    this.#read = read;
    this.#startedAt = clock.monotonic();
  }

  /**
   * Returns the increase per day over the last day, or since the end of start-up if that is later; undefined in the first
   * half hour, and if the counter cannot be read.
   */
  perDay(): number | undefined {
    const nowMs = this.#clock.monotonic();
    const count = this.#read();
    if (count === undefined || nowMs - this.#startedAt < START_UP_MS) return undefined;
    const newest = this.#marks.at(-1);
    if (newest === undefined || nowMs - newest.atMs >= MARK_INTERVAL_MS) this.#marks.push({ atMs: nowMs, count });
    while (this.#marks.length > 1 && nowMs - this.#marks[1]!.atMs >= DAY_MS) this.#marks.shift();
    const since = this.#marks[0]!;
    const elapsedMs = nowMs - since.atMs;
    return elapsedMs < KNOWN_AFTER_MS - START_UP_MS ? undefined : ((count - since.count) / elapsedMs) * DAY_MS;
  }
}
