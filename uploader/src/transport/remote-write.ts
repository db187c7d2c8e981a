import { version } from '@thugshells/shared/process/version.ts';

import { toOutcome, type ReceiverResponse } from './response-outcome.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { Chunk } from '../encoding/encoder.ts';
import { HttpTransport, type Envelope } from './http-transport.ts';
import type { SendOutcome, SendResult } from './transport.ts';
import { RemoteWriteV2Format } from '../encoding/formats/remote-write-v2.ts';

const UNSUPPORTED_MEDIA_TYPE = 415;
/** Both specifications require it of a sender. */
const USER_AGENT = `thugshells/${version()}`;

/** What names the message in a body. */
const headersOf: Readonly<Record<'remote-write-1' | 'remote-write-2', Readonly<Record<string, string>>>> = {
  'remote-write-1': { 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
  'remote-write-2': {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  },
};

/**
 * Posts chunks as Prometheus remote write, to whatever receives it.
 *
 * It begins with 1.0, which every receiver knows. A receiver of 1.0 may read a message of 2.0 as one that is empty, and
 * answer that all is well. So 2.0 is used only after a request of 2.0 without samples was answered with the header that
 * a receiver of 2.0 has to send, and given up where that is missing from an answer.
 */
export class RemoteWrite extends HttpTransport {
  #format: 'remote-write-1' | 'remote-write-2' = 'remote-write-1';
  /** Whether the receiver has said which versions it takes. */
  #isKnown = false;

  override get format(): BodyFormatName {
    return this.#format;
  }

  override async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const post = await super.send(chunk, signal);
    if (post.outcome.kind === 'delivered' && !this.#isKnown) await this.#askForVersion2(signal);
    return post;
  }

  protected override envelopeOf({ body, format }: Chunk): Envelope {
    return envelope(body, format === 'remote-write-2' ? format : 'remote-write-1');
  }

  protected override outcomeOf(answer: ReceiverResponse, { count, format }: Chunk): SendOutcome {
    return format === 'remote-write-2' ? this.#outcomeOfVersion2(answer, count) : toOutcome(answer, count);
  }

  async #askForVersion2(signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.ask(envelope(new RemoteWriteV2Format().finish(), 'remote-write-2'), signal);
      this.#isKnown = true;
      if (isSuccess(answer) && answer.samplesWritten !== undefined) this.#format = 'remote-write-2';
    } catch {
      // No answer says nothing of versions; after the next chunk it is asked again.
    }
  }

  #outcomeOfVersion2(answer: ReceiverResponse, sent: number): SendOutcome {
    const { status, samplesWritten } = answer;
    if (status === UNSUPPORTED_MEDIA_TYPE || (isSuccess(answer) && samplesWritten === undefined)) {
      this.#format = 'remote-write-1';
      return {
        kind: 'hold',
        reason: `HTTP ${status} from a receiver that no longer takes remote write 2.0; 1.0 comes next`,
      };
    }
    if (!isSuccess(answer)) return toOutcome(answer, sent);
    // Its body is reserved, and the header says what a portal's page cannot.
    if (Number(samplesWritten) === sent) return { kind: 'delivered' };
    return { kind: 'rejected', reason: `HTTP ${status}, but ${samplesWritten} of ${sent} samples written` };
  }
}

function envelope(body: Uint8Array, format: 'remote-write-1' | 'remote-write-2'): Envelope {
  return { body, headers: { ...headersOf[format], 'content-encoding': 'snappy', 'user-agent': USER_AGENT } };
}

function isSuccess({ status }: ReceiverResponse): boolean {
  return status >= 200 && status <= 299;
}
