/** What benches measured, beside what they are to reach. */

/** A figure of a bench. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is to reach, in words. */
  readonly reach?: string;
  /** The quartiles of several runs. */
  readonly from?: number;
  readonly to?: number;
}

/**
 * Returns a quantile of at least one value.
 *
 * @param share from 0 to 1
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Returns the median of some values, and their quartiles. */
export function spread(values: readonly number[]): { median: number; from: number; to: number } {
  return { median: quantile(values, 0.5), from: quantile(values, 0.25), to: quantile(values, 0.75) };
}

/** Prints figures: as one line of JSON, or as a table. */
export function printFigures(title: string, figures: readonly Figure[], json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ title, figures }));
    return;
  }
  console.log(title);
  for (const { name, value, unit, reach, from, to } of figures) {
    const between =
      from === undefined || to === undefined ? '' : ` (half of them ${from.toFixed(2)} to ${to.toFixed(2)})`;
    console.log(
      `  ${name.padEnd(58)}${value.toFixed(2).padStart(12)} ${unit}${between}${reach === undefined ? '' : `, to reach: ${reach}`}`,
    );
  }
}
