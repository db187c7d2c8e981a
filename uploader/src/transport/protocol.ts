import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

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
  /** Whether the receiver responds to requests without a body at a health address beside the path of the uploads. */
  readonly hasHealthAddress: boolean;
  /** Learns which samples the receiver may have from requests of an earlier process. */
  expectRepeats(ranges: readonly IdRange[]): void;
  /** Returns a request without samples; undefined if there is none: there is a health address. */
  question(): ProtocolRequest | undefined;
  /** Returns a request without samples that asks which versions the receiver supports; undefined while that is known. */
  negotiation(): ProtocolRequest | undefined;
  /** Learns from the response to one of these; `delivered` if the receiver accepts such requests, or those of another version. */
  answered(request: ProtocolRequest, response: ReceiverResponse): SendOutcome;
}
