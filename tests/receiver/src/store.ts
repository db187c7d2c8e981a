import type { Row } from './import-lines.ts';

/** Every sample that was stored, those that came more than once as often as they came. */
export interface StoredSeries {
  readonly series: string;
  readonly metric: Readonly<Record<string, string>>;
  /** Unix milliseconds → the value, or all values in the order of arrival where the time came more than once. */
  readonly samples: ReadonlyMap<number, number | readonly number[]>;
}

/** What became of the samples so far. */
export interface StoreCounts {
  /** Rows stored, duplicates included. */
  readonly stored: number;
  /** Rows beyond the first with one series and time. */
  readonly duplicates: number;
  /** Rows older than the retention: acknowledged and lost, as VictoriaMetrics does. */
  readonly tooOld: number;
  /** Rows more than two days ahead: acknowledged and lost, as VictoriaMetrics does. */
  readonly tooNew: number;
}

/** How far ahead of its clock VictoriaMetrics still stores: two days. */
const MAX_AHEAD_MS = 2 * 86_400_000;

/** Series and their samples, in memory. */
export class SampleStore {
  readonly #series = new Map<string, StoredSeries & { readonly samples: Map<number, number | number[]> }>();
  readonly #retentionMs: number;
  readonly #counts = { stored: 0, duplicates: 0, tooOld: 0, tooNew: 0 };

  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs;
  }

  /** Stores the rows that lie within the retention as seen at `nowMs`; returns how many those were. */
  add(rows: Iterable<Row>, nowMs: number): number {
    const before = this.#counts.stored;
    for (const row of rows) {
      if (row.timestampMs < nowMs - this.#retentionMs) this.#counts.tooOld += 1;
      else if (row.timestampMs > nowMs + MAX_AHEAD_MS) this.#counts.tooNew += 1;
      else this.#put(row);
    }
    return this.#counts.stored - before;
  }

  /** Every series, in the order in which they were first seen. */
  series(): Iterable<StoredSeries> {
    return this.#series.values();
  }

  /** Every stored row, duplicates included: series by series, in the order of arrival within each time. */
  rows(): Row[] {
    const rows: Row[] = [];
    for (const { series, metric, samples } of this.#series.values()) {
      for (const [timestampMs, stored] of samples) {
        for (const value of valuesOf(stored)) rows.push({ series, metric, value, timestampMs });
      }
    }
    return rows;
  }

  /** The counts at this moment. */
  counts(): StoreCounts {
    return { ...this.#counts };
  }

  #put(row: Row): void {
    let entry = this.#series.get(row.series);
    if (entry === undefined) {
      entry = { series: row.series, metric: row.metric, samples: new Map() };
      this.#series.set(row.series, entry);
    }
    const earlier = entry.samples.get(row.timestampMs);
    if (earlier === undefined) entry.samples.set(row.timestampMs, row.value);
    else {
      entry.samples.set(row.timestampMs, [...valuesOf(earlier), row.value]);
      this.#counts.duplicates += 1;
    }
    this.#counts.stored += 1;
  }
}

/** All values stored at one time, in the order of arrival. */
export function valuesOf(stored: number | readonly number[]): readonly number[] {
  return typeof stored === 'number' ? [stored] : stored;
}

/**
 * The value that deduplication leaves: the larger one, as newer versions of VictoriaMetrics do. Older ones keep
 * whichever their sort puts last, so nothing may rely on it; an exact replay has equal values.
 */
export function dedupedValue(stored: number | readonly number[]): number {
  return typeof stored === 'number' ? stored : Math.max(...stored);
}
