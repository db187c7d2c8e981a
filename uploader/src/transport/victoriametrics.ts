import type { Chunk } from '../chunk.ts';
import type { Protocol, ProtocolRequest } from './protocol.ts';
import { toOutcome, type ReceiverResponse } from './response-outcome.ts';
import type { SendOutcome } from './transport.ts';

const HEADERS = { 'content-type': 'application/json', 'content-encoding': 'gzip' };

/** VictoriaMetrics' /api/v1/import, which reads gzipped JSON lines. */
export class VictoriaMetricsProtocol implements Protocol {
  readonly format = 'json-lines';
  readonly sendsOldestFirst: boolean = false;

  toRequest({ body }: Chunk): ProtocolRequest {
    return { body, headers: HEADERS };
  }

  judge(response: ReceiverResponse, { count }: Chunk): SendOutcome {
    return toOutcome(response, count);
  }

  negotiation(): undefined {
    return undefined;
  }

  negotiated(): void {
    // There is one version.
  }
}
