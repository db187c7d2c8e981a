import type { Chunk } from '../chunk.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { SendResult } from '../transport/transport.ts';
import { halve } from './rejected-series.ts';

export interface BisectOptions {
  /** Encodes some of the chunk's samples as a chunk of their own. */
  readonly encode: (ids: Float64Array) => Promise<Chunk | undefined>;
  /** Sends a part; the caller acknowledges what the receiver accepts. */
  readonly send: (part: Chunk) => Promise<SendResult>;
}

/** The result of a search for the samples that the receiver rejects. */
export type BisectResult =
  /** Every other sample was accepted; these never will be. */
  | { readonly kind: 'found'; readonly rejections: readonly RejectedRow[] }
  /** A part was neither accepted nor rejected; what is left stays pending. */
  | { readonly kind: 'interrupted'; readonly result: SendResult; readonly rejections: readonly RejectedRow[] };

/**
 * Maximum number of requests of a search: thousands of rejected samples would cost two requests each. Parts that are still
 * rejected then are quarantined whole, with the valid samples that they may hold.
 */
const MAX_REQUESTS = 500;

/**
 * Finds the samples for which a receiver, which accepts others, rejects parts of a chunk. It sends the parts, and the halves of
 * each that is rejected: one invalid sample among n costs at most 2·log2 n requests.
 *
 * Parts are sent in the order of the body, in which the samples of a series are in the order of their times: some
 * receivers reject a sample once they have a newer one.
 */
export async function bisect(parts: readonly Float64Array[], options: BisectOptions): Promise<BisectResult> {
  const rejections: RejectedRow[] = [];
  const left = [...parts].reverse();
  let requests = 0;
  for (let ids = left.pop(); ids !== undefined; ids = left.pop()) {
    const part = await options.encode(ids);
    if (part === undefined) continue;
    const result = await options.send(part);
    requests += 1;
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') continue;
    if (kind !== 'rejected') return { kind: 'interrupted', result, rejections };
    if (part.count > 1 && requests < MAX_REQUESTS) left.push(...halve(part.ids).reverse());
    else rejections.push(...toRejectedRows(part.ids, result));
  }
  return { kind: 'found', rejections };
}

function toRejectedRows(ids: Float64Array, result: SendResult): RejectedRow[] {
  const reason =
    ids.length === 1 ? toReason(result) : `one of ${ids.length} samples rejected together: ${toReason(result)}`;
  return [...ids].map((id) => ({ id, status: result.status, reason }));
}

function toReason(result: SendResult): string {
  return 'reason' in result.outcome ? result.outcome.reason : result.outcome.kind;
}
