import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { CorruptDatabase } from './corrupt-database.ts';
import type { LeafPage } from './leaf-pages.ts';

/** An entry of the index `samples_identity`. */
interface IndexEntry {
  readonly timestampMs: number;
  readonly seriesId: number;
  readonly id: number;
}

/** The entries of a page of the index. */
export interface IndexPage {
  readonly entries: readonly IndexEntry[];
  /** Whether all of them could be read. */
  readonly isWhole: boolean;
  /** Whether no other entry stands between them. */
  readonly isLeaf: boolean;
}

/** Entries kept in memory at most: some 40 MB. Beyond, their rows are verified by their neighbors alone. */
const MAX_ENTRIES = 400_000;

/**
 * The pages of the samples' index, read past SQLite: it does not find what stands below a damaged page, and does not report
 * which entries it cannot find for that reason.
 */
export class IndexPages {
  /** Entries that SQLite does not find: timestamp → series → id. */
  readonly #unreachable = new Map<number, Map<number, number>>();
  readonly #ids = new Map<number, number>();
  #entries = 0;
  /** First and last time of each leaf page, by the first. */
  #intervals: IdRange[] = [];
  #isSorted = true;

  /** Adds a page of the index; the source must be open for queries. */
  add({ entries, isWhole, isLeaf }: IndexPage, source: CorruptDatabase): void {
    const first = entries[0]!;
    const last = entries.at(-1)!;
    const isInOrder = entries.every((entry, at) => at === 0 || compare(entries[at - 1]!, entry) < 0);
    if (isInOrder && isWhole && isLeaf) this.#intervals.push([first.timestampMs, last.timestampMs]);
    this.#isSorted = false;
    const isFound = ({ timestampMs, seriesId, id }: IndexEntry): boolean =>
      source.findIndexedId(timestampMs, seriesId) === id;
    // What SQLite finds on a leaf at both ends it finds in between; to an entry of an interior page it comes by the leaf before it.
    if (isLeaf && isInOrder && isWhole && isFound(first) && isFound(last)) return;
    const missing = isLeaf ? entries : entries.filter((entry) => !isFound(entry));
    for (const { timestampMs, seriesId, id } of missing) {
      if (this.#entries >= MAX_ENTRIES) return;
      const ofTime = this.#unreachable.get(timestampMs) ?? new Map<number, number>();
      this.#unreachable.set(timestampMs, ofTime.set(seriesId, id));
      this.#ids.set(id, timestampMs);
      this.#entries += 1;
    }
  }

  /** The id of an entry that SQLite does not find. */
  find(timestampMs: number, seriesId: number): number | undefined {
    return this.#unreachable.get(timestampMs)?.get(seriesId);
  }

  /** Whether there is an entry with an id from one time to another that SQLite does not find. */
  has(id: number, fromMs: number, toMs: number): boolean {
    const timestampMs = this.#ids.get(id);
    return timestampMs !== undefined && timestampMs >= fromMs && timestampMs <= toMs;
  }

  /** Whether a page can be read on which an entry of this time would stand. */
  covers(timestampMs: number): boolean {
    if (!this.#isSorted) this.#intervals.sort((a, b) => a[0] - b[0]);
    this.#isSorted = true;
    let [low, high] = [0, this.#intervals.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#intervals[middle]![0] < timestampMs) low = middle + 1;
      else high = middle;
    }
    // Strictly within: at its edges the entry may stand on the next page.
    return low > 0 && this.#intervals[low - 1]![1] > timestampMs;
  }
}

/** Reads a leaf page; undefined unless it is one of the samples' index. */
export function readIndexPage({ isIndex, cells }: LeafPage): IndexPage | undefined {
  return isIndex ? readEntries(cells, true) : undefined;
}

/** Reads the entries of an interior page; undefined unless it is one of the samples' index. */
export function readSeparators(cells: LeafPage['cells']): IndexPage | undefined {
  return readEntries(cells, false);
}

function readEntries(cells: LeafPage['cells'], isLeaf: boolean): IndexPage | undefined {
  const entries = cells.flatMap((cell) => {
    const [timestampMs, seriesId, id, ...more] = cell?.values ?? [];
    const isEntry = [timestampMs, seriesId, id].every(Number.isSafeInteger) && more.length === 0;
    return isEntry ? [{ timestampMs, seriesId, id } as IndexEntry] : [];
  });
  return entries.length > 0 ? { entries, isWhole: entries.length === cells.length, isLeaf } : undefined;
}

function compare(a: IndexEntry, b: IndexEntry): number {
  return a.timestampMs - b.timestampMs || a.seriesId - b.seriesId;
}
