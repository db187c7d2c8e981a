import { copyText, type ParsedSeries } from './exposition/parsed-series.ts';

export interface SampleSelectionOptions {
  /** The time of the scrape, Unix milliseconds; a sample without a timestamp is of that time. */
  readonly nowMs: number;
  /** A sample whose timestamp is further from now is stale, and not selected. */
  readonly maxAgeMs: number;
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
  /** Unix milliseconds; undefined for a sample without a timestamp. */
  readonly timestamps: (number | undefined)[] = [];
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
    const { nowMs, maxAgeMs } = this.#options;
    this.samples += 1;
    const place = series === undefined ? undefined : this.#places.get(series);
    const isStale = timestampMs !== undefined && Math.abs(nowMs - timestampMs) > maxAgeMs;
    if (place !== undefined) this.#addRepeated(place, value, isStale ? -Infinity : timestampMs);
    else if (isStale) this.#addStale(series, name);
    else if (series === undefined || this.isFull) this.over += 1;
    else this.#select(series, value, timestampMs);
  }

  /** Whether a sample is later than another of its series. */
  isLater(timestampMs: number | undefined, thanMs: number | undefined): boolean {
    const { nowMs } = this.#options;
    return (timestampMs ?? nowMs) > (thanMs ?? nowMs);
  }

  /** Counts a sample that is not wanted. */
  drop(): void {
    this.samples += 1;
    this.dropped += 1;
  }

  #select(series: ParsedSeries, value: number, timestampMs: number | undefined): void {
    const older = this.#staleSeries.get(series);
    if (older !== undefined) {
      this.#staleSeries.delete(series);
      this.repeated += older;
      this.firstRepeated ??= series;
    }
    this.#places.set(series, this.series.length);
    this.series.push(series);
    this.values.push(value);
    this.timestamps.push(timestampMs);
  }

  #addRepeated(place: number, value: number, timestampMs: number | undefined): void {
    this.repeated += 1;
    this.firstRepeated ??= this.series[place];
    if (!this.isLater(timestampMs, this.timestamps[place])) return;
    this.values[place] = value;
    this.timestamps[place] = timestampMs;
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
