import { toOutcome, type ReceiverResponse } from './response-outcome.ts';
import type { Chunk } from '../encoding/encoder.ts';
import { HttpTransport, type Envelope, type HttpTransportOptions } from './http-transport.ts';
import type { SendOutcome } from './transport.ts';

export type VictoriaMetricsOptions = HttpTransportOptions;

/** Posts chunks of JSON lines to VictoriaMetrics' /api/v1/import. */
export class VictoriaMetrics extends HttpTransport {
  override get format() {
    return 'json-lines' as const;
  }

  protected override envelopeOf({ body }: Chunk): Envelope {
    return { body, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } };
  }

  protected override outcomeOf(answer: ReceiverResponse, { count }: Chunk): SendOutcome {
    return toOutcome(answer, count);
  }
}
