/** Tracks when samples were last rejected: the database only counts them. */
export class LastRejection {
  #count: number | undefined;
  #atMs: number | undefined;

  /** @param atMs of the last process, Unix milliseconds; undefined if it knew of none */
  constructor(atMs: number | undefined) {
    this.#atMs = atMs;
  }

  /** Compares a new count with the one before; returns the time of the last rejection in Unix milliseconds, undefined for never. */
  update(rejected: number, nowMs: number): number | undefined {
    if (this.#count !== undefined && rejected > this.#count) this.#atMs = nowMs;
    this.#count = rejected;
    return this.#atMs;
  }
}
