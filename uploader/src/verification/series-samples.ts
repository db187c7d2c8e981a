import type { ExportedIdentity } from './series-catalog.ts';

/** Samples of one series. */
export interface SeriesSamples {
  readonly series: ExportedIdentity;
  readonly count: number;
  /** Unix milliseconds of the first and the last of them. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Summarizes the times of samples of one series. */
export function summarize(series: ExportedIdentity, times: readonly number[]): SeriesSamples {
  const [firstMs, lastMs] = times.reduce(
    ([low, high], ms) => [Math.min(low, ms), Math.max(high, ms)],
    [Infinity, -Infinity],
  );
  return { series, count: times.length, firstMs, lastMs };
}
