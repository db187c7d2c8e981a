/** Both clocks at one moment, milliseconds. */
export interface Now {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/**
 * How old things are that bear a time of the wall clock. A thing that is seen to be new ages by the monotonic clock, so
 * that neither a step of the wall clock nor a suspended machine makes it old.
 */
export class Ages {
  readonly #seen = new Map<
    string,
    { readonly atMs: number; readonly monotonicMs: number; readonly ageMs: number; lookedAt: number }
  >();

  /** Milliseconds since the time `atMs` of a thing, which is 0 where it lies in the future. */
  of(thing: string, atMs: number, { wallMs, monotonicMs }: Now): number {
    const before = this.#seen.get(thing);
    if (before?.atMs === atMs) {
      before.lookedAt = monotonicMs;
      return before.ageMs + monotonicMs - before.monotonicMs;
    }
    // It is new since the last look, so it cannot be older than that.
    const oldest = before === undefined ? Infinity : monotonicMs - before.lookedAt;
    const ageMs = Math.min(Math.max(0, wallMs - atMs), oldest);
    this.#seen.set(thing, { atMs, monotonicMs, ageMs, lookedAt: monotonicMs });
    return ageMs;
  }
}
