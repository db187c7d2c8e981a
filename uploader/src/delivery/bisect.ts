import type { Chunk } from '../chunk.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { SendResult } from '../transport/transport.ts';

export interface BisectOptions {
  /** Encodes some of the chunk's samples as a chunk of their own. */
  readonly encode: (ids: Float64Array) => Promise<Chunk | undefined>;
  /** Sends a part; the caller acknowledges what the receiver accepts. */
  readonly send: (part: Chunk) => Promise<SendResult>;
  /** Whether the receiver is known to accept samples: it accepted others after it had rejected this chunk. */
  readonly receiverAcceptsSamples: boolean;
}

/** The result of a search for the samples that the receiver rejects. */
export type BisectResult =
  /** Every other sample was accepted; these never will be. */
  | { readonly kind: 'found'; readonly rejections: readonly RejectedRow[] }
  /** A part was neither accepted nor rejected; what is left stays pending. */
  | { readonly kind: 'interrupted'; readonly result: SendResult; readonly rejections: readonly RejectedRow[] }
  /** Even single samples were rejected: the receiver is the cause, not the samples. */
  | { readonly kind: 'receiver'; readonly reason: string };

/**
 * Maximum number of requests of a search: thousands of rejected samples would cost two requests each. Parts that are still
 * rejected then are quarantined whole, with the valid samples that they may hold.
 */
const MAX_REQUESTS = 500;

/**
 * Finds the samples for which a receiver rejects a chunk by sending its halves, and their halves: one invalid sample among
 * n costs at most 2·log2 n requests. Samples are quarantined only if the receiver accepts others; until it accepts the
 * first one, the search ends after as many requests as one invalid sample could cost.
 *
 * Parts are sent in the order of the body, in which the samples of a series are in the order of their times: some
 * receivers reject a sample once they have a newer one.
 */
export async function bisect(chunk: Chunk, rejection: SendResult, options: BisectOptions): Promise<BisectResult> {
  const requestsForOneBadSample = 2 * Math.ceil(Math.log2(chunk.count + 1)) + 2;
  const rejections: RejectedRow[] = [];
  const left: Float64Array[] = [];
  let proven = options.receiverAcceptsSamples;
  let requests = 0;
  const reject = (ids: Float64Array, result: SendResult): void => {
    const middle = ids.length >> 1;
    if (ids.length > 1 && requests < MAX_REQUESTS) left.push(ids.slice(middle), ids.slice(0, middle));
    else rejections.push(...toRejectedRows(ids, result));
  };
  reject(chunk.ids, rejection);
  for (let ids = left.pop(); ids !== undefined; ids = left.pop()) {
    if (!proven && requests >= requestsForOneBadSample) return { kind: 'receiver', reason: toReason(rejection) };
    const part = await options.encode(ids);
    if (part === undefined) continue;
    const result = await options.send(part);
    requests += 1;
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') proven = true;
    else if (kind === 'rejected') reject(part.ids, result);
    else return { kind: 'interrupted', result, rejections: proven ? rejections : [] };
  }
  return proven ? { kind: 'found', rejections } : { kind: 'receiver', reason: toReason(rejection) };
}

function toRejectedRows(ids: Float64Array, result: SendResult): RejectedRow[] {
  const reason =
    ids.length === 1 ? toReason(result) : `one of ${ids.length} samples rejected together: ${toReason(result)}`;
  return [...ids].map((id) => ({ id, status: result.status, reason }));
}

function toReason(result: SendResult): string {
  return 'reason' in result.outcome ? result.outcome.reason : result.outcome.kind;
}
