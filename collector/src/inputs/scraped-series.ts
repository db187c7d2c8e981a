import { canonicalTags, type Reading } from '@thugshells/shared/metrics/sample.ts';

/** Remembers the series of the last scrape of a target. */
export class ScrapedSeries {
  #last: ReadonlySet<string> = new Set();

  /** Remembers the series of a scrape; returns how many of them the last one did not have. */
  replace(readings: readonly Reading[]): number {
    const before = this.#last;
    const now = new Set<string>();
    let added = 0;
    for (const reading of readings) {
      const series = toSeriesText(reading);
      now.add(series);
      if (!before.has(series)) added += 1;
    }
    this.#last = now;
    return added;
  }
}

function toSeriesText({ series, labels, canonical = canonicalTags(labels) }: Reading): string {
  return series.name + canonical;
}
