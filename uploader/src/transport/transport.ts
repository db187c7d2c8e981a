import type { Chunk } from '../chunk.ts';
import type { DateAnswer } from '../clock/receiver-clock.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';

/** The outcome of sending a chunk. Expected outcomes are values; only the unexpected is thrown. */
export type SendOutcome =
  /** Every sample of the chunk was accepted. */
  | { readonly kind: 'delivered' }
  /** The first `accepted` in body order were accepted, or all but the `rejected`. */
  | { readonly kind: 'partial'; readonly accepted: number; readonly rejected: readonly RejectedIndex[] }
  /** The receiver will never accept this body: it holds at least one invalid sample. */
  | { readonly kind: 'rejected'; readonly reason: string }
  /** Nothing was accepted; the same body may be accepted later. */
  | { readonly kind: 'retry'; readonly reason: string; readonly retryAfterMs?: number }
  /** Nothing will be accepted until somebody changes the configuration or the receiver. */
  | { readonly kind: 'hold'; readonly reason: string };

/** A sample that the receiver rejected by its index in the body. */
export interface RejectedIndex {
  readonly index: number;
  readonly reason: string;
}

/** The outcome of sending a chunk, with what was measured. */
export interface SendResult {
  readonly outcome: SendOutcome;
  readonly endpoint: string;
  /** Undefined when no response came. */
  readonly status?: number | undefined;
  readonly errorCode?: string | undefined;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  /** Number of the connection that carried it; undefined if there was none. */
  readonly connection?: number | undefined;
  /** The receiver announced that it will close the connection. */
  readonly isClosing: boolean;
  /** The response's Date header. */
  readonly date?: string | undefined;
  /** The response's Age header. */
  readonly age?: string | undefined;
  /** Milliseconds since boot before the request and after the response; undefined when no response came. */
  readonly sentAtMs?: number;
  readonly receivedAtMs?: number;
}

/** Sends chunks to the receiver. */
export interface Transport {
  /** The format in which the next bodies are to be encoded; it may change with a response. */
  readonly format: BodyFormatName;
  /** Sends one chunk; rejects only when `signal` is aborted. */
  send(chunk: Chunk, signal: AbortSignal): Promise<SendResult>;
}

/** Checks whether the receiver is still the process that it was. */
export interface ReceiverCheck {
  /** Sends a request without samples over the uploads' connection; returns its number if the response was good. */
  checkReceiver(signal: AbortSignal): Promise<number | undefined>;
}

/** Everything that the uploader needs of a receiver. */
export interface ReceiverClient extends Transport, ReceiverCheck {
  /** Whether the receiver may reject a sample once it has a newer one of its series. */
  readonly sendsOldestFirst: boolean;
  /**
   * Calls `listener` with the number of each connection that ends, closed by either side, and of one over which a proxy
   * reports that the receiver is gone: what it carried last is in doubt.
   */
  onConnectionClosed(listener: (connection: number) => void): void;
  /** Returns the time that a URL responds with, requested over a connection of its own; rejects when no response comes. */
  requestDate(url: string, signal: AbortSignal): Promise<DateAnswer>;
}
