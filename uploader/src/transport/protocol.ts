import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { ReceiverResponse } from './response-outcome.ts';
import type { SendOutcome } from './transport.ts';

/** A request to the endpoint, without the credentials, which are the transport's. */
export interface ProtocolRequest {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** What differs between the receivers that chunks are sent to over HTTP. */
export interface Protocol {
  /** The format in which the next bodies are encoded. */
  readonly format: BodyFormatName;
  /** Whether the receiver may reject a sample once it has a newer one of its series. */
  readonly sendsOldestFirst: boolean;
  /** Returns the request that carries a chunk. */
  toRequest(chunk: Chunk): ProtocolRequest;
  /** Returns what the response to a chunk means for its samples. */
  judge(response: ReceiverResponse, chunk: Chunk): SendOutcome;
  /** Returns a request without samples that asks which versions the receiver supports; undefined once that is known. */
  negotiation(): ProtocolRequest | undefined;
  /** Learns from the response to `negotiation()`. */
  negotiated(response: ReceiverResponse): void;
}
