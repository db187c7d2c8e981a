/** What benches measured, beside what they are to reach. */

/** @param {readonly number[]} values @param {number} share from 0 to 1 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** The middle of some values, and how far the half of them in the middle reaches. */
export function spread(values) {
  return { median: quantile(values, 0.5), from: quantile(values, 0.25), to: quantile(values, 0.75) };
}

/**
 * Prints figures: as one line of JSON, or as a table.
 *
 * @param {readonly { name: string, value: number, unit: string, reach?: string, from?: number, to?: number }[]} figures
 */
export function printFigures(title, figures, json) {
  if (json) {
    console.log(JSON.stringify({ title, figures }));
    return;
  }
  console.log(title);
  for (const { name, value, unit, reach, from, to } of figures) {
    const between = from === undefined ? '' : ` (half of them ${from.toFixed(2)} to ${to.toFixed(2)})`;
    console.log(
      `  ${name.padEnd(58)}${value.toFixed(2).padStart(12)} ${unit}${between}${reach === undefined ? '' : `, to reach: ${reach}`}`,
    );
  }
}
