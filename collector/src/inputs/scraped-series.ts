import { canonicalTags, type Reading } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';

/** What a scrape changed. */
export interface ScrapeChanges {
  /** How many series the last scrape did not have. */
  readonly added: number;
  /** The end of each series that the last scrape had and this one has not. */
  readonly ends: readonly Reading[];
}

/** Remembers the series of the last scrape of a target, to end those that are gone as Prometheus does. */
export class ScrapedSeries {
  /** Undefined for a series that ends by a gap only. */
  #last: ReadonlyMap<string, Reading | undefined> = new Map();
  /** Whether the series of the last scrape were ended already. */
  #isEnded = false;

  /**
   * Remembers the series of a scrape.
   *
   * @param timestamps of those readings that have one: their series end by a gap, as with Prometheus
   */
  replace(readings: readonly Reading[], timestamps: readonly (number | undefined)[]): ScrapeChanges {
    const before = this.#last;
    const wasEnded = this.#isEnded;
    const now = new Map(
      readings.map((reading, index) => [toSeriesText(reading), timestamps[index] === undefined ? reading : undefined]),
    );
    this.#last = now;
    this.#isEnded = false;
    let added = 0;
    for (const series of now.keys()) if (!before.has(series)) added += 1;
    const gone = wasEnded ? [] : [...before].filter(([series]) => !now.has(series));
    return { added, ends: toEnds(gone.map(([, reading]) => reading)) };
  }

  /** Ends all series: their target failed, or is not scraped any more. Once; a later scrape may have them again. */
  end(): Reading[] {
    if (this.#isEnded) return [];
    this.#isEnded = true;
    return toEnds(this.#last.values());
  }
}

function toEnds(readings: Iterable<Reading | undefined>): Reading[] {
  return [...readings].flatMap((reading) => (reading === undefined ? [] : [{ ...reading, value: STALE_MARKER }]));
}

/** Returns a text that is equal for equal series of one page only. */
export function toSeriesText({ series, labels, canonical = canonicalTags(labels) }: Reading): string {
  return series.name + canonical;
}
