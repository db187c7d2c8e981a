import type { Chunk } from '../chunk.ts';

/** Where a series begins in several chunks. */
export interface SeriesPlace {
  readonly seriesId: number;
  /** Index of the chunk. */
  readonly index: number;
  /** Id of its first sample. */
  readonly firstId: number;
}

/** More series than a device has: those of which no sample is stored any more are never forgotten one by one. */
const MAX_SERIES = 10_000;

/**
 * The series of which the receiver has rejected samples, until it accepts a chunk of them whole. They are a guess in which
 * order to search, in memory only: whether a sample is rejected is decided by its own request.
 */
export class RejectedSeries {
  readonly #ids = new Set<number>();

  add(seriesId: number): void {
    if (this.#ids.size === MAX_SERIES) this.#ids.clear();
    this.#ids.add(seriesId);
  }

  /** Adds the series of rejected samples of a chunk. */
  addOf(chunk: Chunk, rejected: readonly { readonly id: number }[]): void {
    const rejectedIds = new Set(rejected.map(({ id }) => id));
    for (const [seriesId, ids] of listSamples(chunk)) if (ids.some((id) => rejectedIds.has(id))) this.add(seriesId);
  }

  /** Forgets the series of a chunk that was accepted whole. */
  forget({ series }: Chunk): void {
    if (this.#ids.size > 0) for (const { id } of series) this.#ids.delete(id);
  }

  /** Lists the other series of some chunks; all of them, and forgets what it knows, if there are no others. */
  listOthers(chunks: readonly Chunk[]): SeriesPlace[] {
    const all = new Map<number, SeriesPlace>();
    for (const [index, { ids, series }] of chunks.entries())
      // In a later chunk a series goes on: where the order matters, nothing of it is sent before its first sample.
      for (const { id, start } of series) if (!all.has(id)) all.set(id, { seriesId: id, index, firstId: ids[start]! });
    const others = [...all.values()].filter(({ seriesId }) => !this.#ids.has(seriesId));
    if (others.length > 0) return others;
    this.#ids.clear();
    return [...all.values()];
  }

  /** Parts the samples of a chunk into those of other series and those of these; without one or the other, into halves. */
  part(chunk: Chunk): Float64Array[] {
    const samples = listSamples(chunk);
    const join = (isRejected: boolean): Float64Array =>
      Float64Array.from(samples.flatMap(([id, ids]) => (this.#ids.has(id) === isRejected ? [...ids] : [])));
    const parts = [join(false), join(true)];
    return parts.every(({ length }) => length > 0) ? parts : halve(chunk.ids);
  }
}

/** Cuts some ids into halves; one alone stays as it is. */
export function halve(ids: Float64Array): Float64Array[] {
  const middle = ids.length >> 1;
  return middle === 0 ? [ids] : [ids.slice(0, middle), ids.slice(middle)];
}

/** Lists the series of a chunk with the ids of their samples. */
function listSamples({ ids, series }: Chunk): [seriesId: number, ids: Float64Array][] {
  return series.map(({ id, start }, index) => [id, ids.subarray(start, series[index + 1]?.start)]);
}
