/** How far a backlog has been worked off. */
export interface Drain {
  /** From 0 to 1. */
  readonly done: number;
  /** Undefined where the backlog does not shrink. */
  readonly secondsLeft: number | undefined;
}

/** The speed is that of the last so many milliseconds. */
const WINDOW_MS = 20_000;
/** Looks closer together than this say nothing about speed. */
const LEAST_SPACING_MS = 500;

/** Watches the number of pending samples, and says how far a drain has come and how long it will take. */
export class DrainWatch {
  readonly #threshold: number;
  #peak = 0;
  #looks: { readonly atMs: number; readonly pending: number }[] = [];

  /** @param threshold at most so many pending samples are no backlog */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Undefined where there is no backlog. */
  look(pending: number, monotonicMs: number): Drain | undefined {
    if (pending <= this.#threshold) {
      this.#peak = 0;
      this.#looks = [];
      return undefined;
    }
    this.#peak = Math.max(this.#peak, pending);
    const last = this.#looks.at(-1);
    if (last === undefined || monotonicMs - last.atMs >= LEAST_SPACING_MS)
      this.#looks.push({ atMs: monotonicMs, pending });
    // The window's beginning is its oldest look; one older than the window stays where there is no other.
    while (this.#looks.length > 2 && monotonicMs - this.#looks[1]!.atMs >= WINDOW_MS) this.#looks.shift();
    const { atMs, pending: before } = this.#looks[0]!;
    const perMs = (before - pending) / (monotonicMs - atMs || Infinity);
    return { done: 1 - pending / this.#peak, secondsLeft: perMs > 0 ? pending / perMs / 1000 : undefined };
  }
}
