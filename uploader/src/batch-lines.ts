import type { Columns } from './batch-columns.js';
import type { SeriesRow } from './row-reader.js';

/** A series as its lines need it. */
export interface KnownSeries {
  readonly id: number;
  readonly row: SeriesRow;
  readonly isText: boolean;
  /** What its lines begin with; of a text series it depends on the text. */
  readonly beginning: Uint8Array;
  /** Why none of its samples can be sent. */
  readonly refusal: string | undefined;
}

/** The samples of a batch that share a line, unless a chunk ends within it. */
export interface Line {
  readonly series: KnownSeries;
  readonly text: string | undefined;
  /** Place of the first one in the batch. */
  readonly first: number;
  readonly count: number;
}

/** Lines in body order, and for each sample of the batch the place of the one that follows it in its line. */
export interface Lines {
  readonly lines: readonly Line[];
  readonly next: Int32Array;
}

/** Samples of a line that stand in one chunk. */
export interface LinePart {
  readonly line: Line;
  /** Place of the first one in the batch. */
  readonly first: number;
  readonly count: number;
}

/** Sorts a batch by series, its samples within a series by id; equal texts of a series share a line. */
export function linesOf(columns: Columns, seriesOf: (id: number) => KnownSeries): Lines {
  const { next, lines } = chainSamples(columns);
  const sorted = lines
    .map(({ seriesId, text, first, count }): Line => ({ series: seriesOf(seriesId), text, first, count }))
    .sort((a, b) => a.series.id - b.series.id);
  return { lines: sorted, next };
}

/** Lines in the order in which they appear. Its loop sees every sample: it touches flat arrays only. */
function chainSamples({ count, seriesIds, texts }: Columns) {
  const lines: { readonly seriesId: number; readonly text: string | undefined; readonly first: number; count: number }[] = [];
  const found = new Map<number | string, number>();
  const seriesOfLine: number[] = [];
  const lastOfLine: number[] = [];
  const countOfLine: number[] = [];
  const next = new Int32Array(count);
  // A scrape is stored in the order of its series, so the line after the last one is nearly always the right one.
  let line = 0;
  for (let place = 0; place < count; place++, line++) {
    const seriesId = seriesIds[place]!;
    if (texts !== undefined || seriesOfLine[line] !== seriesId) {
      const text = texts?.[place];
      const key = text === undefined ? seriesId : `${seriesId} ${text}`;
      line = found.get(key) ?? lines.length;
      if (line === lines.length) {
        found.set(key, line);
        lines.push({ seriesId, text, first: place, count: 0 });
        seriesOfLine.push(seriesId);
        lastOfLine.push(place);
        countOfLine.push(0);
      }
    }
    next[lastOfLine[line]!] = place;
    lastOfLine[line] = place;
    countOfLine[line]! += 1;
  }
  lines.forEach((each, index) => (each.count = countOfLine[index]!));
  return { lines, next };
}

/** Cuts lines into chunks of `chunkMetrics` samples, the last one of what is left. */
export function cutIntoChunks({ lines, next }: Lines, chunkMetrics: number): LinePart[][] {
  const chunks: LinePart[][] = [];
  let room = 0;
  for (const line of lines) {
    let first = line.first;
    for (let left = line.count; left > 0; ) {
      if (room === 0) {
        chunks.push([]);
        room = chunkMetrics;
      }
      const count = Math.min(left, room);
      chunks.at(-1)!.push({ line, first, count });
      left -= count;
      room -= count;
      if (left > 0) for (let skipped = 0; skipped < count; skipped++) first = next[first]!;
    }
  }
  return chunks;
}

/** Ids of the samples of some parts, in their order. */
export function idsOfParts(parts: readonly LinePart[], ids: Float64Array, next: Int32Array): Float64Array {
  const found = new Float64Array(parts.reduce((sum, { count }) => sum + count, 0));
  let index = 0;
  for (const { first, count } of parts) {
    for (let place = first, left = count; left > 0; place = next[place]!, left--) found[index++] = ids[place]!;
  }
  return found;
}
