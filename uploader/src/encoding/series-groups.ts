import type { BatchColumns } from './rows/batch-columns.ts';
import type { SeriesDescription } from './formats/body-format.ts';
import type { SeriesRow } from './rows/row-reader.ts';

/** A series with what is encoded once for all of its samples. */
export interface GroupedSeries {
  readonly valueType: number;
  /** The series as the body's format encodes it; undefined for a series of texts: there it depends on the text. */
  readonly head: unknown;
  /** Kept for series of texts only; there may be thousands of others. */
  readonly row: SeriesRow | undefined;
  /** Kept for series of texts only. */
  readonly description?: SeriesDescription | undefined;
  /** Why none of its samples can be sent. */
  readonly refusal: string | undefined;
}

const FIRST_SERIES = 1024;
/** A device has thousands of series. A higher id is that of a corrupt row, for which no array of its size is made. */
const MAX_INDEXED_SERIES = 1 << 24;

/**
 * Groups a batch into lines: the samples of one series, or those of a text series that have the same text. One object is
 * reused for all batches: its arrays are flat, so that a batch of ten thousand lines leaves no garbage, and what they hold
 * beyond `count` belongs to an earlier batch.
 */
export class SeriesGroups {
  count = 0;
  readonly series: GroupedSeries[] = [];
  readonly seriesIds: number[] = [];
  readonly texts: (string | undefined)[] = [];
  /** By line: the index of its first sample in the batch, and its number of samples. */
  readonly first: number[] = [];
  readonly samples: number[] = [];
  /** By sample: the index of the one that follows it in its line. */
  next = new Int32Array();
  /** The lines in body order, by series. */
  order: readonly number[] = [];
  readonly #last: number[] = [];
  /** By series id: one more than its line, 0 if it has none yet. Ids count up from 1, so the array has few unused entries. */
  #linesBySeries = new Int32Array(FIRST_SERIES);
  readonly #linesByText = new Map<string, number>();

  /** Sorts a batch by series, its samples within a series by id. */
  sort({ count, series, texts }: BatchColumns, findSeries: (id: number) => GroupedSeries): void {
    for (let line = 0; line < this.count; line++) {
      if (this.seriesIds[line]! < MAX_INDEXED_SERIES) this.#linesBySeries[this.seriesIds[line]!] = 0;
    }
    this.#linesByText.clear();
    this.count = 0;
    if (this.next.length < count) this.next = new Int32Array(count);
    const { next, samples, seriesIds } = this;
    const last = this.#last;
    // A scrape is stored in the order of its series, so the line after the last one is nearly always the right one.
    let line = 0;
    for (let place = 0; place < count; place++, line++) {
      const id = series.numbers[place]!;
      if (texts !== undefined || line >= this.count || seriesIds[line] !== id)
        line = this.#find(id, texts?.[place], { place, findSeries });
      next[last[line]!] = place;
      last[line] = place;
      samples[line]! += 1;
    }
    this.#order();
  }

  /** Returns the line of a series, or of a text of it; creates it if there is none. */
  #find(
    id: number,
    text: string | undefined,
    { place, findSeries }: { place: number; findSeries: (id: number) => GroupedSeries },
  ): number {
    const isIndexed = text === undefined && id < MAX_INDEXED_SERIES;
    const key = text === undefined ? String(id) : `${id} ${text}`;
    const found = isIndexed ? (this.#linesBySeries[id] ?? 0) - 1 : (this.#linesByText.get(key) ?? -1);
    if (found !== -1) return found;
    const line = this.count++;
    if (isIndexed) this.#remember(id, line);
    else this.#linesByText.set(key, line);
    this.series[line] = findSeries(id);
    this.texts[line] = text;
    this.first[line] = place;
    this.samples[line] = 0;
    this.seriesIds[line] = id;
    this.#last[line] = place;
    return line;
  }

  #remember(id: number, line: number): void {
    if (id >= this.#linesBySeries.length) {
      const grown = new Int32Array(2 * id);
      grown.set(this.#linesBySeries);
      this.#linesBySeries = grown;
    }
    this.#linesBySeries[id] = line + 1;
  }

  /**
   * Sorts the samples of each line by time, which is not the order of their ids if the corrected time of a later epoch lies
   * before that of an earlier one. Removes those that have the time of the one before them, and returns their indexes.
   */
  orderByTime(timestamps: Float64Array): number[] {
    const repeats: number[] = [];
    for (let line = 0; line < this.count; line++) {
      if (!this.#isOrdered(line, timestamps)) repeats.push(...this.#reorder(line, timestamps));
    }
    return repeats;
  }

  #isOrdered(line: number, timestamps: Float64Array): boolean {
    let place = this.first[line]!;
    for (let left = this.samples[line]! - 1; left > 0; left--) {
      const following = this.next[place]!;
      if (timestamps[following]! <= timestamps[place]!) return false;
      place = following;
    }
    return true;
  }

  #reorder(line: number, timestamps: Float64Array): number[] {
    const places: number[] = [];
    for (let place = this.first[line]!; places.length < this.samples[line]!; place = this.next[place]!)
      places.push(place);
    places.sort((a, b) => timestamps[a]! - timestamps[b]!);
    const isRepeat = (place: number, index: number): boolean =>
      index > 0 && timestamps[places[index - 1]!] === timestamps[place];
    const kept = places.filter((place, index) => !isRepeat(place, index));
    this.first[line] = kept[0]!;
    this.samples[line] = kept.length;
    kept.forEach((place, index) => (this.next[place] = kept[index + 1] ?? place));
    return places.filter(isRepeat);
  }

  #order(): void {
    const ids = this.seriesIds;
    const order = Array.from({ length: this.count }, (_, line) => line);
    const isSorted = order.every((line) => line === 0 || ids[line - 1]! <= ids[line]!);
    this.order = isSorted ? order : order.sort((a, b) => ids[a]! - ids[b]!);
  }
}
