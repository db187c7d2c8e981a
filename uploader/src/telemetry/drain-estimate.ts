/** How far a backlog has been delivered. */
export interface DrainEstimate {
  /** From 0 to 1. */
  readonly done: number;
  /** Undefined while the backlog does not shrink. */
  readonly secondsLeft: number | undefined;
}

/** The speed is measured over this window. */
const WINDOW_MS = 20_000;
/** Points closer together than this do not measure speed. */
const MIN_SPACING_MS = 500;

/** Estimates from the number of pending samples how far a backlog has been delivered, and how long the rest takes. */
export class DrainEstimator {
  readonly #threshold: number;
  #peak = 0;
  #points: { readonly atMs: number; readonly pending: number }[] = [];

  /** @param threshold up to this many pending samples are not a backlog */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Adds a count; returns undefined if there is no backlog. */
  update(pending: number, monotonicMs: number): DrainEstimate | undefined {
    if (pending <= this.#threshold) {
      this.#peak = 0;
      this.#points = [];
      return undefined;
    }
    this.#peak = Math.max(this.#peak, pending);
    const last = this.#points.at(-1);
    if (last === undefined || monotonicMs - last.atMs >= MIN_SPACING_MS)
      this.#points.push({ atMs: monotonicMs, pending });
    // The window begins at its oldest point; one older than the window stays if there is no other.
    while (this.#points.length > 2 && monotonicMs - this.#points[1]!.atMs >= WINDOW_MS) this.#points.shift();
    const { atMs, pending: before } = this.#points[0]!;
    const perMs = (before - pending) / (monotonicMs - atMs || Infinity);
    return { done: 1 - pending / this.#peak, secondsLeft: perMs > 0 ? pending / perMs / 1000 : undefined };
  }
}
