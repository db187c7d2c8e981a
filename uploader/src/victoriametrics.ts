import { outcomeOf, type Answer } from './answers.js';
import type { Chunk } from './encoder.js';
import { HttpTransport, type Envelope, type HttpTransportOptions } from './http-transport.js';
import type { Outcome } from './transport.js';

export type VictoriaMetricsOptions = HttpTransportOptions;

/** Posts chunks of JSON lines to VictoriaMetrics' /api/v1/import. */
export class VictoriaMetrics extends HttpTransport {
  override get format() {
    return 'json-lines' as const;
  }

  protected override envelopeOf({ body }: Chunk): Envelope {
    return { body, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } };
  }

  protected override outcomeOf(answer: Answer, { count }: Chunk): Outcome {
    return outcomeOf(answer, count);
  }
}
