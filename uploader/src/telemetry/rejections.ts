/** Remembers when samples were rejected last: the books only say how many. */
export class Rejections {
  #count: number | undefined;
  #lastAtMs: number | undefined;

  /** @param lastAtMs as the last process knew it */
  constructor(lastAtMs: number | undefined) {
    this.#lastAtMs = lastAtMs;
  }

  /** @returns when, Unix milliseconds, undefined for never */
  look(rejected: number, nowMs: number): number | undefined {
    if (this.#count !== undefined && rejected > this.#count) this.#lastAtMs = nowMs;
    this.#count = rejected;
    return this.#lastAtMs;
  }
}
