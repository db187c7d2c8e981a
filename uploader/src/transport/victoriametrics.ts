import type { Chunk } from '../chunk.ts';
import type { Protocol, ProtocolRequest } from './protocol.ts';
import { toOutcome, type ReceiverResponse } from './response-outcome.ts';
import type { SendOutcome } from './transport.ts';

const HEADERS = { 'content-type': 'application/json', 'content-encoding': 'gzip' };

/** VictoriaMetrics' /api/v1/import, which reads gzipped JSON lines. */
export class VictoriaMetricsProtocol implements Protocol {
  readonly format = 'json-lines';
  readonly sendsOldestFirst: boolean = false;
  readonly hasHealthAddress = true;

  toRequest({ body }: Chunk): ProtocolRequest {
    return { body, headers: HEADERS };
  }

  judge(response: ReceiverResponse, { count }: Chunk): SendOutcome {
    return toOutcome(response, count);
  }

  expectRepeats(): void {
    // It counts what it accepts, also what it has.
  }

  question(): undefined {
    return undefined;
  }

  negotiation(): undefined {
    return undefined;
  }

  answered(_: ProtocolRequest, response: ReceiverResponse): SendOutcome {
    return toOutcome(response, 0);
  }
}
