import type { Chunk } from './encoder.js';
import type { Rejection } from './settled.js';
import type { Post } from './transport.js';

export interface BisectOptions {
  /** Encodes some of the chunk's samples as a chunk of their own. */
  readonly encode: (ids: Float64Array) => Promise<Chunk | undefined>;
  /** Posts a part; whatever it takes is acknowledged by the caller. */
  readonly post: (part: Chunk) => Promise<Post>;
  /** The receiver is known to take samples: it took others after it had refused this chunk. */
  readonly receiverTakesSamples: boolean;
}

/** How a search for samples that the receiver will not take ended. */
export type BisectResult =
  /** Every other sample was taken; these never will be. */
  | { readonly kind: 'found'; readonly rejections: readonly Rejection[] }
  /** A part came to something else; what is left stays pending. */
  | { readonly kind: 'interrupted'; readonly post: Post; readonly rejections: readonly Rejection[] }
  /** Even single samples are refused: it is the receiver, not the samples. */
  | { readonly kind: 'receiver'; readonly reason: string };

/**
 * Finds the samples for which a receiver refuses a chunk by posting its halves, and their halves: one bad sample among
 * n costs at most 2·log2 n posts. A sample is blamed only while others are being taken; until the first one is, the
 * search ends after as many posts as one bad sample could cost.
 */
export async function bisect(chunk: Chunk, refusal: Post, options: BisectOptions): Promise<BisectResult> {
  const postsForOneBadSample = 2 * Math.ceil(Math.log2(chunk.count + 1)) + 2;
  const rejections: Rejection[] = [];
  const refused: { readonly ids: Float64Array; readonly post: Post }[] = [{ ids: chunk.ids, post: refusal }];
  let proven = options.receiverTakesSamples;
  let posts = 0;
  for (let part = refused.pop(); part !== undefined; part = refused.pop()) {
    if (part.ids.length === 1) {
      rejections.push({ id: part.ids[0]!, status: part.post.status, reason: reasonOf(part.post) });
      continue;
    }
    const middle = part.ids.length >> 1;
    for (const ids of [part.ids.slice(0, middle), part.ids.slice(middle)]) {
      if (!proven && posts >= postsForOneBadSample) return { kind: 'receiver', reason: reasonOf(refusal) };
      const half = await options.encode(ids);
      if (half === undefined) continue;
      const post = await options.post(half);
      posts += 1;
      const { kind } = post.outcome;
      if (kind === 'delivered' || kind === 'partial') proven = true;
      else if (kind === 'rejected') refused.push({ ids: half.ids, post });
      else return { kind: 'interrupted', post, rejections: proven ? rejections : [] };
    }
  }
  return proven ? { kind: 'found', rejections } : { kind: 'receiver', reason: reasonOf(refusal) };
}

function reasonOf(post: Post): string {
  return 'reason' in post.outcome ? post.outcome.reason : post.outcome.kind;
}
