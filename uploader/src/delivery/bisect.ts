import type { Chunk } from '../chunk.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { SendResult } from '../transport/transport.ts';

export interface BisectOptions {
  /** Encodes some of the chunk's samples as a chunk of their own. */
  readonly encode: (ids: Float64Array) => Promise<Chunk | undefined>;
  /** Posts a part; whatever it takes is acknowledged by the caller. */
  readonly send: (part: Chunk) => Promise<SendResult>;
  /** The receiver is known to take samples: it took others after it had refused this chunk. */
  readonly receiverAcceptsSamples: boolean;
}

/** How a search for samples that the receiver will not take ended. */
export type BisectResult =
  /** Every other sample was taken; these never will be. */
  | { readonly kind: 'found'; readonly rejections: readonly RejectedRow[] }
  /** A part came to something else; what is left stays pending. */
  | { readonly kind: 'interrupted'; readonly result: SendResult; readonly rejections: readonly RejectedRow[] }
  /** Even single samples are refused: it is the receiver, not the samples. */
  | { readonly kind: 'receiver'; readonly reason: string };

/**
 * A search ends after so many posts: a receiver that will not have thousands of samples would cost two posts for each.
 * What is refused then is blamed as it is, with the sound samples that it may hold.
 */
const MAX_REQUESTS = 500;

/**
 * Finds the samples for which a receiver refuses a chunk by posting its halves, and their halves: one bad sample among
 * n costs at most 2·log2 n posts. A sample is blamed only while others are being taken; until the first one is, the
 * search ends after as many posts as one bad sample could cost.
 *
 * Parts are posted in the order of the body, in which the samples of a series stand in the order of their times: there
 * are receivers that refuse a sample once they have a newer one.
 */
export async function bisect(chunk: Chunk, refusal: SendResult, options: BisectOptions): Promise<BisectResult> {
  const requestsForOneBadSample = 2 * Math.ceil(Math.log2(chunk.count + 1)) + 2;
  const rejections: RejectedRow[] = [];
  const left: Float64Array[] = [];
  let proven = options.receiverAcceptsSamples;
  let requests = 0;
  const refuse = (ids: Float64Array, result: SendResult): void => {
    const middle = ids.length >> 1;
    if (ids.length > 1 && requests < MAX_REQUESTS) left.push(ids.slice(middle), ids.slice(0, middle));
    else rejections.push(...rejectionsOf(ids, result));
  };
  refuse(chunk.ids, refusal);
  for (let ids = left.pop(); ids !== undefined; ids = left.pop()) {
    if (!proven && requests >= requestsForOneBadSample) return { kind: 'receiver', reason: reasonOf(refusal) };
    const part = await options.encode(ids);
    if (part === undefined) continue;
    const result = await options.send(part);
    requests += 1;
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') proven = true;
    else if (kind === 'rejected') refuse(part.ids, result);
    else return { kind: 'interrupted', result, rejections: proven ? rejections : [] };
  }
  return proven ? { kind: 'found', rejections } : { kind: 'receiver', reason: reasonOf(refusal) };
}

function rejectionsOf(ids: Float64Array, result: SendResult): RejectedRow[] {
  const reason =
    ids.length === 1
      ? reasonOf(result)
      : `one of ${ids.length} samples that were refused together: ${reasonOf(result)}`;
  return [...ids].map((id) => ({ id, status: result.status, reason }));
}

function reasonOf(result: SendResult): string {
  return 'reason' in result.outcome ? result.outcome.reason : result.outcome.kind;
}
