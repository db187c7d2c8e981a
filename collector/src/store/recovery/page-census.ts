import { hash } from 'node:crypto';

import type { CorruptDatabase } from './corrupt-database.ts';
import { IndexPages, readIndexPage, readSeparators, type IndexPage } from './index-pages.ts';
import type { LeafPage, PageFile } from './leaf-pages.ts';
import { SERIES_COLUMNS } from './source-series.ts';

/** Pages looked at in one slice. */
const SLICE_PAGES = 200;
/** The fewest bytes that a sample takes on a page: pointer, length, id, the record's header, its time. */
const LEAST_SAMPLE_BYTES = 16;

/**
 * A first pass over all pages of a corrupt database, a slice at a time: what of the index can be read, which pages do not
 * count any more, and how many samples may have stood on pages that are gone.
 */
export class PageCensus {
  readonly index = new IndexPages();
  readonly #source: CorruptDatabase;
  readonly #contents = new Set<number>();
  #stale: ReadonlySet<number> = new Set();
  #roots: ReadonlySet<unknown> = new Set();
  #position = 0;
  #isComplete = false;
  /** Places of pages that hold nothing that SQLite writes. */
  readonly #unknown = new Set<number>();
  readonly #overflow = new Set<number>();
  #missingPages = 0;
  #maxSamplesOnPage = 0;
  #isLengthKnown = false;

  constructor(source: CorruptDatabase) {
    this.#source = source;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Places of pages whose rows may have been deleted. */
  get stale(): ReadonlySet<number> {
    return this.#stale;
  }

  /**
   * How many samples may have stood on pages that cannot be read, at most: on those that hold nothing that SQLite writes or
   * the same as another one, and on those by which the file is shorter than its header has it. Infinity if that is not known.
   */
  get maxLostSamples(): number {
    const unknown = [...this.#unknown].filter((place) => !this.#overflow.has(place)).length;
    const pages = this.#missingPages + unknown;
    return this.#isLengthKnown ? pages * this.#maxSamplesOnPage : Infinity;
  }

  /** Reads the next slice of pages. */
  step(): void {
    if (this.#position === 0)
      this.#roots = new Set(this.#source.query('SELECT rootpage FROM sqlite_schema')?.map(({ rootpage }) => rootpage));
    const found = this.#source.withPages((pages) => this.#readSlice(pages));
    for (const page of found) this.index.add(page, this.#source);
  }

  /** Reads what is left. */
  complete(): this {
    while (!this.#isComplete) this.step();
    return this;
  }

  #readSlice(pages: PageFile): IndexPage[] {
    if (this.#position === 0) this.#begin(pages);
    const end = Math.min(pages.count, this.#position + SLICE_PAGES);
    const found: IndexPage[] = [];
    for (let place = this.#position; place < end; place++) {
      if (this.#stale.has(place)) continue;
      const leaf = pages.leaf(place);
      if (!this.#isKnown(pages, place, leaf)) this.#unknown.add(place);
      const page = leaf === undefined ? readSeparators(pages.separators(place)) : readIndexPage(leaf);
      if (page !== undefined) found.push(page);
    }
    for (const place of pages.overflowPlaces) this.#overflow.add(place);
    this.#position = end;
    this.#isComplete = end >= pages.count;
    return found;
  }

  /** Whether a page is what SQLite wrote there, as far as one sees it. Only that of an empty table or index holds nothing. */
  #isKnown(pages: PageFile, place: number, leaf: LeafPage | undefined): boolean {
    if (leaf?.cells.length === 0) return this.#roots.size === 0 || this.#roots.has(place + 1);
    const isReadable = leaf === undefined ? pages.isInterior(place) : leaf.cells.some((cell) => cell !== undefined);
    // The copy of the series has the same pages.
    const isSeries = leaf?.cells.some((cell) => cell?.values.length === SERIES_COLUMNS) === true;
    return isReadable && (isSeries || !this.#isRepeated(pages.page(place)));
  }

  #begin(pages: PageFile): void {
    const expected = pages.expectedPages;
    this.#stale = pages.findStalePlaces();
    this.#isLengthKnown = expected !== undefined;
    this.#missingPages = Math.max(0, (expected ?? 0) - pages.count);
    this.#maxSamplesOnPage = Math.floor((pages.pageSize - 8) / LEAST_SAMPLE_BYTES);
  }

  /** Whether another page has the same bytes: then one of both has been written over. */
  #isRepeated(page: Buffer): boolean {
    const digest = hash('md5', page, 'buffer').readUIntBE(0, 6);
    if (this.#contents.has(digest)) return true;
    this.#contents.add(digest);
    return false;
  }
}
