import { findFamily } from '@thugshells/shared/metrics/metric-family.ts';
import { canonicalTags, MAX_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';
import type { MetricFamily, MetricType } from '@thugshells/shared/metrics/series.ts';

import type { ParsedSeries } from './parsed-series.ts';

/** The families of a text by name. */
type Families = ReadonlyMap<string, MetricFamily>;

const SUFFIX = '_created';

/** The types of metrics that count from a start, with the label by which the series of one metric differ. */
const partLabels: Partial<Record<MetricType, string>> = { counter: '', histogram: 'le', summary: 'quantile' };

/** A metric, as the series that belong to it have it in common. */
interface MetricKey {
  readonly familyName: string;
  readonly type: MetricType;
  readonly text: string;
}

/** The keys of parsed series, from one text to the next. */
export type MetricKeys = WeakMap<ParsedSeries, MetricKey>;

/**
 * The `_created` samples of one text in OpenMetrics: when its counters, histograms and summaries began to count. Each is a series of
 * its own as well, as to Prometheus.
 */
export class CreatedSamples {
  readonly #keys: MetricKeys;
  readonly #maxSamples: number;
  readonly #found: (readonly [series: ParsedSeries, seconds: number])[] = [];
  readonly #timesMs = new Map<string, number>();

  /** @param maxSamples further ones are left out */
  constructor(keys: MetricKeys, maxSamples: number) {
    this.#keys = keys;
    this.#maxSamples = maxSamples;
  }

  /** Remembers a sample if it is one of these. @param series undefined if nobody keeps it */
  add(series: ParsedSeries | undefined, name: string, value: number): void {
    if (this.#found.length < this.#maxSamples && series !== undefined && name.endsWith(SUFFIX))
      this.#found.push([series, value]);
  }

  /** Ends the text: its families are known now. */
  end(families: Families): void {
    for (const [series, seconds] of this.#found) {
      const family = findFamily(families, series.name);
      // Cut as Prometheus cuts it.
      const timeMs = Math.trunc(seconds * 1000);
      const isTime = timeMs > 0 && timeMs <= MAX_TIMESTAMP_MS;
      if (family === undefined || !isCreated(series, family) || !isTime) continue;
      const key = this.#toKey(series, family);
      if (key !== undefined && !this.#timesMs.has(key)) this.#timesMs.set(key, timeMs);
    }
  }

  /** Finds when a series of a family began to count, Unix milliseconds. */
  find(series: ParsedSeries, family: MetricFamily | undefined): number | undefined {
    if (this.#timesMs.size === 0 || family === undefined || isCreated(series, family)) return undefined;
    const key = this.#toKey(series, family);
    return key === undefined ? undefined : this.#timesMs.get(key);
  }

  #toKey(series: ParsedSeries, { name: familyName, type }: MetricFamily): string | undefined {
    const partLabel = partLabels[type];
    if (partLabel === undefined) return undefined;
    const known = this.#keys.get(series);
    if (known?.familyName === familyName && known.type === type) return known.text;
    const { [partLabel]: _, ...labels } = series.labels;
    const text = familyName + canonicalTags(labels);
    this.#keys.set(series, { familyName, type, text });
    return text;
  }
}

function isCreated({ name }: ParsedSeries, family: MetricFamily): boolean {
  return name === family.name + SUFFIX;
}
