/** Both clocks at one moment, milliseconds. */
export interface ClockReadings {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface TrackedTime {
  readonly atMs: number;
  readonly monotonicMs: number;
  readonly ageMs: number;
  lookedAt: number;
}

/**
 * Tracks the ages of things that carry a timestamp of the wall clock. From the moment a new timestamp is seen, its age
 * grows by the monotonic clock: neither a step of the wall clock nor a suspended machine makes it old.
 */
export class AgeTracker {
  readonly #tracked = new Map<string, TrackedTime>();

  /** Returns the milliseconds since the timestamp `atMs` of a thing; 0 if it lies in the future. */
  ageMs(thing: string, atMs: number, { wallMs, monotonicMs }: ClockReadings): number {
    const before = this.#tracked.get(thing);
    if (before?.atMs === atMs) {
      before.lookedAt = monotonicMs;
      return before.ageMs + monotonicMs - before.monotonicMs;
    }
    // The timestamp is new since the last look, so it cannot be older than that look.
    const maxAgeMs = before === undefined ? Infinity : monotonicMs - before.lookedAt;
    const ageMs = Math.min(Math.max(0, wallMs - atMs), maxAgeMs);
    this.#tracked.set(thing, { atMs, monotonicMs, ageMs, lookedAt: monotonicMs });
    return ageMs;
  }
}
