import { intersect } from '@thugshells/shared/database/id-ranges.ts';

import type { Chunk } from '../chunk.ts';
import type { SendResult } from '../transport/transport.ts';

const PAYLOAD_TOO_LARGE = 413;

export interface RejectionSearchOptions {
  /** Whether the receiver rejects a sample once it has a newer one of its series. */
  readonly keepsOrder: boolean;
  /** Number of samples of which the receiver has accepted a part of a chunk that was too large for it. */
  readonly acceptedSize: number;
}

/**
 * A rejected chunk while it is not known whether its samples or the receiver are the cause. Each attempt that the backoff
 * allows sends a part of it, or another chunk. If a part is accepted, the samples are the cause, and bisect() finds them.
 */
export class RejectionSearch {
  readonly isTooLarge: boolean;
  readonly #chunk: Pick<Chunk, 'ids' | 'ranges'>;
  readonly #parts: Float64Array[];
  /** Whether the next attempt sends a part, rather than another chunk. */
  isNext: boolean;

  constructor({ ids, ranges }: Chunk, { status }: SendResult, { keepsOrder, acceptedSize }: RejectionSearchOptions) {
    this.#chunk = { ids, ranges };
    this.isTooLarge = status === PAYLOAD_TOO_LARGE;
    const parts = this.isTooLarge ? listBeginnings(ids, acceptedSize) : listParts(ids, keepsOrder);
    this.#parts = parts.filter(({ length }) => length < ids.length);
    // Another chunk may be as large.
    this.isNext = this.isTooLarge;
  }

  /** Whether every part has been sent. */
  get isExhausted(): boolean {
    return this.#parts.length === 0;
  }

  /** Whether a chunk has samples of the rejected one. */
  overlaps({ ranges }: Pick<Chunk, 'ranges'>): boolean {
    return intersect(ranges, this.#chunk.ranges).length > 0;
  }

  /** Returns the ids of a chunk that do not belong to the rejected one. */
  listOthers({ ids }: Pick<Chunk, 'ids'>): Float64Array {
    const own = new Set(this.#chunk.ids);
    return ids.filter((id) => !own.has(id));
  }

  /** Returns the next part, in body order; undefined after the last one. */
  nextPart(): Float64Array | undefined {
    return this.#parts.shift();
  }

  /** Returns, in parts, what is left to be sent once a part was accepted; or all of it, if another chunk was. */
  listLeft(accepted: Float64Array = new Float64Array()): Float64Array[] {
    const { ids } = this.#chunk;
    const first = accepted.length === 0 ? 0 : ids.indexOf(accepted[0]!);
    const left = [ids.slice(0, first), ids.slice(first + accepted.length)].filter(({ length }) => length > 0);
    return this.isTooLarge ? left : left.flatMap(halve);
  }
}

/** Cuts some ids into halves; one alone stays as it is. */
export function halve(ids: Float64Array): Float64Array[] {
  const middle = ids.length >> 1;
  return middle === 0 ? [ids] : [ids.slice(0, middle), ids.slice(middle)];
}

/**
 * Lists parts of which one is accepted if there is one invalid sample, and probably if there are a few: a half, and single
 * samples. Where the order matters, nothing is sent before what precedes it and may be valid.
 */
function listParts(ids: Float64Array, keepsOrder: boolean): Float64Array[] {
  const [firstHalf, secondHalf] = halve(ids);
  const [first, second] = [ids.slice(0, 1), ids.slice(1, 2)];
  if (ids.length < 3) return [first, second];
  return keepsOrder ? [firstHalf!, first, second] : [firstHalf!, secondHalf!, first, ids.slice(-1)];
}

/** Lists ever smaller beginnings, none larger than what was accepted before. */
function listBeginnings(ids: Float64Array, acceptedSize: number): Float64Array[] {
  const parts: Float64Array[] = [];
  for (let size = Math.min(ids.length >> 1, acceptedSize); size > 0; size >>= 1) parts.push(ids.slice(0, size));
  return parts;
}
