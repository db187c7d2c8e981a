import type { Chunk } from '../encoding/encoder.ts';

/** What a post came to. Expected results are values; only what nobody foresaw is thrown. */
export type SendOutcome =
  /** Every sample of the chunk was taken. */
  | { readonly kind: 'delivered' }
  /** The first `accepted` in body order were taken, or all but the `rejected`. */
  | { readonly kind: 'partial'; readonly accepted: number; readonly rejected: readonly RejectedIndex[] }
  /** The receiver will never take this body: it holds at least one sample that is not sound. */
  | { readonly kind: 'rejected'; readonly reason: string }
  /** Nothing was taken; the same body may be taken later. */
  | { readonly kind: 'retry'; readonly reason: string; readonly retryAfterMs?: number }
  /** Nothing will be taken until somebody changes something. */
  | { readonly kind: 'hold'; readonly reason: string };

/** A sample that the receiver named, by its place in the body. */
export interface RejectedIndex {
  readonly index: number;
  readonly reason: string;
}

/** A post's outcome with what was seen on the way. */
export interface SendResult {
  readonly outcome: SendOutcome;
  readonly endpoint: string;
  /** Undefined where no answer came. */
  readonly status?: number | undefined;
  readonly errorCode?: string | undefined;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  /** Names the connection that carried it; undefined where there was none. */
  readonly connection?: number | undefined;
  /** The receiver announced that it will close the connection. */
  readonly isClosing: boolean;
}

/** A way out. */
export interface Transport {
  /** Posts one chunk; rejects only when `signal` is aborted. */
  send(chunk: Chunk, signal: AbortSignal): Promise<SendResult>;
}

/** A way to ask whether the receiver still is who it was. */
export interface ReceiverCheck {
  /** Asks for nothing, over the connection of the posts; the connection's number if the answer was good. */
  checkReceiver(signal: AbortSignal): Promise<number | undefined>;
}
