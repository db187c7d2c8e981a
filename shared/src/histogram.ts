/** A histogram as it is kept in a row: it goes from one process to the other and lives through restarts. */
export interface HistogramState {
  /** How many values fell into each bucket: above the bound before, at most its own; the last one has no bound. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Upper bounds, in seconds, of the durations of scrapes: few, since every bucket is a series of every collector. */
export const COLLECTION_BOUNDS_SECONDS: readonly number[] = [0.001, 0.005, 0.025, 0.1, 1];

/** A histogram over `bounds` that holds nothing. */
export function emptyHistogram(bounds: readonly number[]): HistogramState {
  return { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

/** The histogram with one more value. */
export function observe(state: HistogramState, bounds: readonly number[], value: number): HistogramState {
  const found = bounds.findIndex((bound) => value <= bound);
  const bucket = found === -1 ? bounds.length : found;
  return { counts: state.counts.map((count, index) => (index === bucket ? count + 1 : count)), sum: state.sum + value };
}
