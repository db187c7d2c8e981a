import type { Clock } from '@thugshells/shared/clock.ts';

/** Longer than any request may take. */
const STALLED_AFTER_MS = 30 * 60_000;

/** Whether the uploads make progress: each attempt counts, and each wait that was announced; a hang does not. */
export class Liveness {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** The monotonic time by which there must have been progress. */
  #dueAt: number;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#dueAt = clock.monotonic() + STALLED_AFTER_MS;
  }

  get isLive(): boolean {
    return this.#clock.monotonic() <= this.#dueAt;
  }

  /** Notes progress. @param waitMs how long nothing will happen on purpose */
  progress(waitMs = 0): void {
    this.#dueAt = this.#clock.monotonic() + waitMs + STALLED_AFTER_MS;
  }

  /** Notes a wait behind which the next step has to come at once. */
  waits(waitMs: number, slackMs: number): void {
    this.#dueAt = this.#clock.monotonic() + waitMs + slackMs;
  }
}
