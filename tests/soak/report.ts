import { quantile } from '../support/figures.ts';

import type { SoakResult } from './soak.ts';

/** The figures of a soak as a Markdown table. */
export function tableOf({
  collected,
  costs,
  wireBytes,
  scrapeDelaysMs,
  freshnessMs,
  kills,
  differences,
  shared,
}: SoakResult): string {
  const { collector, uploader } = costs;
  const ms = (values: readonly number[], share: number): string => `${quantile(values, share).toFixed(0)} ms`;
  const rows: readonly (readonly [string, string])[] = [
    ['samples collected', String(collected)],
    ['lost, twice or wrong in the receiver', String(differences.length)],
    ['at the time of another one of their series, after the clock was set back', String(shared)],
    ['kills', String(kills)],
    ['CPU, collector and uploader', `${collector.cpuSeconds.toFixed(1)} s and ${uploader.cpuSeconds.toFixed(1)} s`],
    ['CPU for 1,000 samples', `${(((collector.cpuSeconds + uploader.cpuSeconds) * 1e6) / collected).toFixed(1)} ms`],
    ['PSS, collector: median, most', `${collector.medianPssMB.toFixed(0)} MB, ${collector.mostPssMB.toFixed(0)} MB`],
    ['PSS, uploader: median, most', `${uploader.medianPssMB.toFixed(0)} MB, ${uploader.mostPssMB.toFixed(0)} MB`],
    ['disk bytes a sample', ((collector.diskBytes + uploader.diskBytes) / collected).toFixed(0)],
    ['wire bytes a sample, with what was sent in vain', (wireBytes / collected).toFixed(1)],
    ['delay of a scrape: p50, p99', `${ms(scrapeDelaysMs, 0.5)}, ${ms(scrapeDelaysMs, 0.99)}`],
    ['age of the newest sample in the receiver: p50, p99', `${ms(freshnessMs, 0.5)}, ${ms(freshnessMs, 0.99)}`],
  ];
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}
