import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { Chunk } from '../chunk.ts';
import type { DateAnswer } from '../clock/receiver-clock.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { RestartAnswer, RestartSign } from '../queue/restart-signs.ts';

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
  /** For how long that connection had been idle before the request; undefined for a new one. */
  readonly idleBeforeMs?: number | undefined;
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

/** A response to a request without samples. */
export interface HealthResponse {
  /** Number of the connection that carried it. */
  readonly connection: number | undefined;
  /** Whether it announces that the connection will close. */
  readonly isClosing: boolean;
  /** Whether the receiver itself wrote it: a proxy or a portal may respond for a receiver that is gone. */
  readonly isReceiver: boolean;
}

/** Asks the receiver how it is, beside the path of the uploads, or by requests of the uploads' kind without samples. */
export interface ReceiverCheck {
  /** Whether a check shows no more than that the receiver can be connected to: then a receiver that responds is not checked. */
  readonly checksConnection: boolean;
  /** Returns whether a file of credentials has changed since the last request of an upload. */
  haveCredentialsChanged(): boolean;
  /** Checks whether the receiver is there; returns undefined if not, or if its response has a status of 5xx. */
  checkReceiver(signal: AbortSignal): Promise<HealthResponse | undefined>;
  /** Sends a request without samples over the uploads' connection; returns undefined if no good response came. */
  confirmConnection(signal: AbortSignal): Promise<HealthResponse | undefined>;
  /** Asks since when the process runs that stores the samples. */
  askStartTime(signal: AbortSignal): Promise<RestartAnswer>;
}

/** Everything that the uploader needs of a receiver. */
export interface ReceiverClient extends Transport, ReceiverCheck {
  /** Whether the receiver may reject a sample once it has a newer one of its series. */
  readonly sendsOldestFirst: boolean;
  /** Sends a request without samples to the address of the uploads, which also asks for the version. */
  ask(signal: AbortSignal): Promise<SendResult>;
  /** Learns which samples the receiver may have from requests of an earlier process. */
  expectRepeats(ranges: readonly IdRange[]): void;
  /** Calls `listener` with each sign that the receiver may have been restarted. */
  onRestartSign(listener: (sign: RestartSign) => void): void;
  /** Returns the time that a URL responds with, requested over a connection of its own; rejects when no response comes. */
  requestDate(url: string, signal: AbortSignal): Promise<DateAnswer>;
}
