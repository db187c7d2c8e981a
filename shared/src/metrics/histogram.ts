/** A histogram as a row stores it: it is passed from one process to the other, and survives restarts. */
export interface HistogramState {
  /** The number of values of each bucket: above the bound before, at most its own; the last one has no bound. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Upper bounds, in seconds, of the durations of scrapes: few, because every bucket is a series of every collector. */
export const COLLECTION_BOUNDS_SECONDS: readonly number[] = [0.001, 0.005, 0.025, 0.1, 1];

/**
 * Upper bounds, in seconds, of the durations of uploads: a response over a good link is within the first, REMOTE_TIMEOUT
 * beyond the last.
 */
export const UPLOAD_BOUNDS_SECONDS: readonly number[] = [0.01, 0.05, 0.2, 0.5, 1, 5, 20, 60];

/** Creates an empty histogram over `bounds`. */
export function createHistogram(bounds: readonly number[]): HistogramState {
  return { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

/** Returns the histogram with one more value. */
export function observe(state: HistogramState, bounds: readonly number[], value: number): HistogramState {
  const found = bounds.findIndex((bound) => value <= bound);
  const bucket = found === -1 ? bounds.length : found;
  return { counts: state.counts.map((count, index) => (index === bucket ? count + 1 : count)), sum: state.sum + value };
}

/** Adds up histograms over the same bounds. */
export function sumHistograms(states: readonly HistogramState[], bounds: readonly number[]): HistogramState {
  return states.reduce(
    (total, { counts, sum }) => ({
      counts: total.counts.map((count, index) => count + counts[index]!),
      sum: total.sum + sum,
    }),
    createHistogram(bounds),
  );
}

/** One bucket as the exposition format has it: the number of values that were at most `le`. */
export interface Bucket {
  readonly le: string;
  readonly count: number;
}

/** Returns the cumulative buckets of a histogram; the last one, `+Inf`, counts all values. */
export function toCumulativeBuckets({ counts }: HistogramState, bounds: readonly number[]): Bucket[] {
  let count = 0;
  return counts.map((own, index) => ({ le: String(bounds[index] ?? '+Inf'), count: (count += own) }));
}

/**
 * Returns the buckets that quantiles need: those with values, the ones right below them, and `+Inf`. Each bucket left out
 * is a series less.
 */
export function selectBuckets(state: HistogramState, bounds: readonly number[]): Bucket[] {
  const { counts } = state;
  const last = counts.length - 1;
  return toCumulativeBuckets(state, bounds).filter(
    (_, index) => index === last || counts[index]! > 0 || (counts[index + 1]! > 0 && index + 1 < last),
  );
}
