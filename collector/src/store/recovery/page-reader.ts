import type { CorruptDatabase } from './corrupt-database.ts';
import { readSampleCells, type SourceSample } from './source-sample.ts';
import { PageCensus } from './page-census.ts';
import { verifySamples, type IndexAnswer, type SampleEvidence, type VerifiedSamples } from './verify-samples.ts';

/** Pages in one slice: some milliseconds, so that no scrape waits for it. */
const SLICE_PAGES = 50;
/** Ids of samples of one time are at most this far apart. */
const MAX_SCRAPE_SAMPLES = 1_000;

/** The samples of some pages, and the place of the first page after them; undefined if that was the last. */
export interface PageSlice extends VerifiedSamples {
  readonly nextPlace: number | undefined;
}

/** Reads the samples of a corrupt database page by page, wherever a page stands, after a census of all of them. */
export class PageReader {
  readonly census: PageCensus;
  readonly #source: CorruptDatabase;

  constructor(source: CorruptDatabase) {
    this.#source = source;
    this.census = new PageCensus(source);
  }

  /** Reads the next pages; no samples as long as the census goes on. */
  read(place: number): PageSlice {
    if (!this.census.isComplete) {
      this.census.step();
      return { samples: [], doubtful: 0, nextPlace: place };
    }
    const { pages, count } = this.#source.withPages((file) => {
      const end = Math.min(file.count, place + SLICE_PAGES);
      const places = Array.from({ length: Math.max(0, end - place) }, (_, index) => place + index);
      return { pages: places.map((each) => ({ place: each, cells: readSampleCells(file, each) })), count: file.count };
    });
    const evidence: SampleEvidence = {
      find: (sample) => this.#find(sample),
      findRow: (id) => {
        const row = this.#source.findRow(id);
        return row === 'none' ? undefined : row;
      },
      isOnLostPage: (id) => this.#source.isOpen && this.#source.findRow(id) === undefined,
      hasEntry: (id, fromMs, toMs) =>
        this.#source.hasIndexEntry(id, fromMs, toMs) || this.census.index.has(id, fromMs, toMs),
    };
    const verified = this.#source.inTransaction(() =>
      pages.map((page) => verifySamples(page.cells, evidence, this.census.stale.has(page.place))),
    );
    const samples = verified.flatMap((page) => page.samples).sort((a, b) => a.id - b.id);
    const doubtful = verified.reduce((sum, page) => sum + page.doubtful, 0);
    return { samples, doubtful, nextPlace: place + SLICE_PAGES < count ? place + SLICE_PAGES : undefined };
  }

  /** Keeps the samples that the index has too. */
  keepIndexed(samples: readonly SourceSample[]): SourceSample[] {
    return this.#source.inTransaction(() =>
      samples.filter(({ id, timestampMs, seriesId }) => this.#source.findIndexedId(timestampMs, seriesId) === id),
    );
  }

  #find({ id, timestampMs, seriesId }: SourceSample): IndexAnswer {
    const { index } = this.census;
    const found = this.#source.findIndexedId(timestampMs, seriesId);
    const onPage = index.find(timestampMs, seriesId);
    const entry = typeof found === 'number' && onPage !== id ? found : onPage;
    if (entry === undefined) return { kind: index.covers(timestampMs) ? 'no entry' : 'unknown' };
    if (entry === id) return { kind: 'entry', id, isOfRow: true };
    const row = this.#source.findRow(entry);
    // Rows of one time stand together.
    const isOfRow =
      row === undefined
        ? Math.abs(entry - id) < MAX_SCRAPE_SAMPLES
        : row !== 'none' && row.timestampMs === timestampMs && row.seriesId === seriesId;
    return { kind: 'entry', id: entry, isOfRow };
  }
}
