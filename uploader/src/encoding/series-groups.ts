import type { BatchColumns } from './rows/batch-columns.ts';
import type { SeriesRow } from './rows/row-reader.ts';

/** A series as its lines need it. */
export interface GroupedSeries {
  readonly valueType: number;
  /** What the body's format has made of it; undefined for a series of texts, where it depends on the text. */
  readonly head: unknown;
  /** Of a series of texts; thousands of others are not kept. */
  readonly row: SeriesRow | undefined;
  /** Why none of its samples can be sent. */
  readonly refusal: string | undefined;
}

const FIRST_SERIES = 1024;

/**
 * The lines of a batch: the samples of one series, or those of a text series that have the same text, one after the
 * other. It is made once and sorts one batch after the other: its arrays are flat, so that a batch of ten thousand lines
 * leaves nothing to collect, and what they hold beyond `count` is of an earlier one.
 */
export class SeriesGroups {
  count = 0;
  readonly series: GroupedSeries[] = [];
  readonly texts: (string | undefined)[] = [];
  /** Of each line: the place of its first sample in the batch, and how many it has. */
  readonly first: number[] = [];
  readonly samples: number[] = [];
  /** Of each sample: the place of the one that follows it in its line. */
  next = new Int32Array();
  /** The lines in body order, by series. */
  order: readonly number[] = [];
  readonly #seriesIds: number[] = [];
  readonly #last: number[] = [];
  /** One more than the line of each series, by its id; 0 where it has none yet. Ids count up from 1, so it has no holes to speak of. */
  #lineOf = new Int32Array(FIRST_SERIES);
  readonly #lineOfText = new Map<string, number>();

  /** Sorts a batch by series, its samples within a series by id. */
  sort({ count, series, texts }: BatchColumns, seriesOf: (id: number) => GroupedSeries): void {
    for (let line = 0; line < this.count; line++) this.#lineOf[this.#seriesIds[line]!] = 0;
    this.#lineOfText.clear();
    this.count = 0;
    if (this.next.length < count) this.next = new Int32Array(count);
    const { next, samples } = this;
    const seriesIds = this.#seriesIds;
    const last = this.#last;
    // A scrape is stored in the order of its series, so the line after the last one is nearly always the right one.
    let line = 0;
    for (let place = 0; place < count; place++, line++) {
      const id = series.numbers[place]!;
      if (texts !== undefined || line >= this.count || seriesIds[line] !== id)
        line = this.#find(id, texts?.[place], { place, seriesOf });
      next[last[line]!] = place;
      last[line] = place;
      samples[line]! += 1;
    }
    this.#order();
  }

  /** The line of a series, or of a text of it; a new one where there is none. */
  #find(
    id: number,
    text: string | undefined,
    { place, seriesOf }: { place: number; seriesOf: (id: number) => GroupedSeries },
  ): number {
    const found = text === undefined ? (this.#lineOf[id] ?? 0) - 1 : (this.#lineOfText.get(`${id} ${text}`) ?? -1);
    if (found !== -1) return found;
    const line = this.count++;
    if (text === undefined) this.#remember(id, line);
    else this.#lineOfText.set(`${id} ${text}`, line);
    this.series[line] = seriesOf(id);
    this.texts[line] = text;
    this.first[line] = place;
    this.samples[line] = 0;
    this.#seriesIds[line] = id;
    this.#last[line] = place;
    return line;
  }

  #remember(id: number, line: number): void {
    if (id >= this.#lineOf.length) {
      const grown = new Int32Array(2 * id);
      grown.set(this.#lineOf);
      this.#lineOf = grown;
    }
    this.#lineOf[id] = line + 1;
  }

  /**
   * Brings the samples of each line into the order of their times, which is not that of their ids where the true time
   * of a later epoch lies before that of an earlier one, and takes out those that have the time of the one before them.
   * Returns their places.
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
    const ids = this.#seriesIds;
    const order = Array.from({ length: this.count }, (_, line) => line);
    const isSorted = order.every((line) => line === 0 || ids[line - 1]! <= ids[line]!);
    this.order = isSorted ? order : order.sort((a, b) => ids[a]! - ids[b]!);
  }
}
