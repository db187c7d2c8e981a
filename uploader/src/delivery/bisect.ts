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
  /** It took too many requests; what is left stays pending. */
  | { readonly kind: 'unfinished'; readonly rejections: readonly RejectedRow[] }
  /** A part was neither accepted nor rejected; what is left stays pending. */
  | { readonly kind: 'interrupted'; readonly result: SendResult; readonly rejections: readonly RejectedRow[] };

/** Maximum number of requests of a search: new samples would wait for thousands of rejected ones, at two requests each. */
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
    if (requests === MAX_REQUESTS) return { kind: 'unfinished', rejections };
    const part = await options.encode(ids);
    if (part === undefined) continue;
    const result = await options.send(part);
    requests += 1;
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') continue;
    if (kind !== 'rejected') return { kind: 'interrupted', result, rejections };
    if (part.count > 1) left.push(...halve(part.ids).reverse());
    else rejections.push({ id: part.ids[0]!, status: result.status, reason: toReason(result) });
  }
  return { kind: 'found', rejections };
}

function toReason(result: SendResult): string {
  return 'reason' in result.outcome ? result.outcome.reason : result.outcome.kind;
}
