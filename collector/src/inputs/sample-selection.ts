import { copyText, type ParsedSeries } from './exposition/parsed-series.ts';

/** Maximum age of a sample with a timestamp, Prometheus' lookback; it is stored with the time of the scrape. */
export const MAX_AGE_MS = 300_000;

export interface SampleSelectionOptions {
  /** The time of the scrape, Unix milliseconds; a sample without a timestamp has it. */
  readonly nowMs: number;
  /** Samples that are selected; further ones are only counted. */
  readonly maxReadings: number;
}

/**
 * The samples of one text that become readings, and the numbers of the others: there may be a million of them. Of several
 * samples of one series the newest is selected, of several of the same time the first.
 */
export class SampleSelection {
  readonly series: ParsedSeries[] = [];
  readonly values: number[] = [];
  /** Unix milliseconds. */
  readonly times: number[] = [];
  samples = 0;
  /** Samples that are not wanted. */
  dropped = 0;
  /** Samples beyond `maxReadings`. */
  over = 0;
  /** Samples of a series that is selected already. */
  repeated = 0;
  /** The first series of which there is another sample. */
  firstRepeated: ParsedSeries | undefined;
  readonly #options: SampleSelectionOptions;
  readonly #places = new Map<ParsedSeries, number>();
  /** Stale samples by name, of series that have no other sample so far. */
  readonly #staleSeries = new Map<ParsedSeries, number>();
  #firstStaleName = '';
  #staleOthers = 0;

  constructor(options: SampleSelectionOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.series.length >= this.#options.maxReadings;
  }

  /** How many samples are out of date, and the name of the first; a series with a newer sample is not out of date. */
  get stale(): { readonly count: number; readonly firstName: string } {
    const [first] = this.#staleSeries.keys();
    let count = this.#staleOthers;
    for (const each of this.#staleSeries.values()) count += each;
    return { count, firstName: first?.name ?? this.#firstStaleName };
  }

  add(series: ParsedSeries | undefined, name: string, value: number, timestampMs: number | undefined): void {
    const { nowMs } = this.#options;
    this.samples += 1;
    const place = series === undefined ? undefined : this.#places.get(series);
    const isStale = timestampMs !== undefined && Math.abs(nowMs - timestampMs) > MAX_AGE_MS;
    if (place !== undefined) this.#addRepeated(place, value, isStale ? -Infinity : (timestampMs ?? nowMs));
    else if (isStale) this.#addStale(series, name);
    else if (series === undefined || this.isFull) this.over += 1;
    else this.#select(series, value, timestampMs ?? nowMs);
  }

  /** Counts a sample that is not wanted. */
  drop(): void {
    this.samples += 1;
    this.dropped += 1;
  }

  #select(series: ParsedSeries, value: number, timeMs: number): void {
    const older = this.#staleSeries.get(series);
    if (older !== undefined) {
      this.#staleSeries.delete(series);
      this.repeated += older;
      this.firstRepeated ??= series;
    }
    this.#places.set(series, this.series.length);
    this.series.push(series);
    this.values.push(value);
    this.times.push(timeMs);
  }

  #addRepeated(place: number, value: number, timeMs: number): void {
    this.repeated += 1;
    this.firstRepeated ??= this.series[place];
    if (timeMs <= this.times[place]!) return;
    this.values[place] = value;
    this.times[place] = timeMs;
  }

  #addStale(series: ParsedSeries | undefined, name: string): void {
    const known = series === undefined ? undefined : this.#staleSeries.get(series);
    if (series !== undefined && (known !== undefined || this.#staleSeries.size < this.#options.maxReadings)) {
      this.#staleSeries.set(series, (known ?? 0) + 1);
      return;
    }
    if (this.#staleOthers === 0) this.#firstStaleName = copyText(name);
    this.#staleOthers += 1;
  }
}
