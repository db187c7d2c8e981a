import type { Chunk } from '../chunk.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { SendResult } from '../transport/transport.ts';
import { halve } from './rejection-search.ts';

export interface BisectOptions {
  /** Encodes some of the chunk's samples as a chunk of their own. */
  readonly encode: (ids: Float64Array) => Promise<Chunk | undefined>;
  /** Sends a part; the caller acknowledges what the receiver accepts. */
  readonly send: (part: Chunk) => Promise<SendResult>;
  /** Requests after which it ends if none was accepted; absent if the receiver is known to accept other samples. */
  readonly maxUnproven?: number | undefined;
}

/** The result of a search for the samples that the receiver rejects. */
export type BisectResult =
  /** Every other sample was accepted; these never will be. */
  | { readonly kind: 'found'; readonly rejections: readonly RejectedRow[] }
  /** A part was neither accepted nor rejected; what is left stays pending. */
  | { readonly kind: 'interrupted'; readonly result: SendResult; readonly rejections: readonly RejectedRow[] }
  /** Nothing was accepted: the receiver may be the cause. */
  | { readonly kind: 'unproven' };

/**
 * Maximum number of requests of a search: thousands of rejected samples would cost two requests each. Parts that are still
 * rejected then are quarantined whole, with the valid samples that they may hold.
 */
const MAX_REQUESTS = 500;

/** Returns how many requests one invalid sample may cost. */
export function requestsForOneInvalid(samples: number): number {
  return 2 * Math.ceil(Math.log2(samples + 1)) + 2;
}

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
  let isProven = options.maxUnproven === undefined;
  for (let ids = left.pop(); ids !== undefined; ids = left.pop()) {
    if (!isProven && requests >= options.maxUnproven!) return { kind: 'unproven' };
    const part = await options.encode(ids);
    if (part === undefined) continue;
    const result = await options.send(part);
    requests += 1;
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') {
      isProven = true;
      continue;
    }
    if (kind !== 'rejected') return { kind: 'interrupted', result, rejections: isProven ? rejections : [] };
    if (part.count > 1 && requests < MAX_REQUESTS) left.push(...halve(part.ids).reverse());
    else rejections.push(...toRejectedRows(part.ids, result));
  }
  return isProven ? { kind: 'found', rejections } : { kind: 'unproven' };
}

function toRejectedRows(ids: Float64Array, result: SendResult): RejectedRow[] {
  const reason =
    ids.length === 1 ? toReason(result) : `one of ${ids.length} samples rejected together: ${toReason(result)}`;
  return [...ids].map((id) => ({ id, status: result.status, reason }));
}

function toReason(result: SendResult): string {
  return 'reason' in result.outcome ? result.outcome.reason : result.outcome.kind;
}
