import { readVersion } from '@thugshells/shared/process/version.ts';

import type { Chunk } from '../chunk.ts';
import { RemoteWriteV2Format } from '../encoding/formats/remote-write-v2.ts';
import type { Protocol, ProtocolRequest } from './protocol.ts';
import { toOutcome, type ReceiverResponse } from './response-outcome.ts';
import type { SendOutcome } from './transport.ts';

type RemoteWriteFormat = 'remote-write-1' | 'remote-write-2';

const UNSUPPORTED_MEDIA_TYPE = 415;
/** Both specifications require it of a sender. */
const USER_AGENT = `thugshells/${readVersion()}`;

/** The headers that name the message in a body. */
const versionHeaders: Readonly<Record<RemoteWriteFormat, Readonly<Record<string, string>>>> = {
  'remote-write-1': { 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
  'remote-write-2': {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  },
};

/**
 * Prometheus remote write.
 *
 * It begins with 1.0, which every receiver supports. A receiver of 1.0 may read a 2.0 message as an empty one and respond
 * with success. Therefore 2.0 is used only after a 2.0 request without samples got the header that a receiver of 2.0 has
 * to send, and 1.0 is used again as soon as a response lacks it. A receiver that counts other samples in a 1.0 message than
 * it holds gets 2.0 next.
 */
export class RemoteWriteProtocol implements Protocol {
  readonly sendsOldestFirst = true;
  #format: RemoteWriteFormat = 'remote-write-1';
  #isVersionKnown = false;

  get format(): RemoteWriteFormat {
    return this.#format;
  }

  toRequest({ body, format }: Chunk): ProtocolRequest {
    return createRequest(body, format === 'remote-write-2' ? format : 'remote-write-1');
  }

  judge(response: ReceiverResponse, { count, format }: Chunk): SendOutcome {
    return format === 'remote-write-2' ? this.#judgeVersion2(response, count) : this.#judgeVersion1(response, count);
  }

  negotiation(): ProtocolRequest | undefined {
    return this.#isVersionKnown ? undefined : createRequest(new RemoteWriteV2Format().finish(), 'remote-write-2');
  }

  negotiated(response: ReceiverResponse): void {
    this.#isVersionKnown = true;
    if (isSuccess(response) && response.samplesWritten !== undefined) this.#format = 'remote-write-2';
  }

  /** A receiver of 1.0 sends no count. One that does has read the message as 2.0, in which it is empty. */
  #judgeVersion1(response: ReceiverResponse, sent: number): SendOutcome {
    const { status, samplesWritten } = response;
    if (!isSuccess(response) || samplesWritten === undefined || Number(samplesWritten) === sent)
      return toOutcome(response, sent);
    this.#isVersionKnown = true;
    this.#format = 'remote-write-2';
    return {
      kind: 'hold',
      reason: `HTTP ${status}, but ${samplesWritten} of ${sent} samples written: the receiver read remote write 1.0 as 2.0; 2.0 is used next`,
    };
  }

  #judgeVersion2(response: ReceiverResponse, sent: number): SendOutcome {
    const { status, samplesWritten } = response;
    if (status === UNSUPPORTED_MEDIA_TYPE || (isSuccess(response) && samplesWritten === undefined)) {
      this.#format = 'remote-write-1';
      return {
        kind: 'hold',
        reason: `HTTP ${status} from a receiver that no longer supports remote write 2.0; 1.0 is used next`,
      };
    }
    if (!isSuccess(response)) return toOutcome(response, sent);
    // The body is reserved by the specification. The header proves what the success page of a portal cannot.
    if (Number(samplesWritten) === sent) return { kind: 'delivered' };
    return { kind: 'rejected', reason: `HTTP ${status}, but ${samplesWritten} of ${sent} samples written` };
  }
}

function createRequest(body: Uint8Array, format: RemoteWriteFormat): ProtocolRequest {
  return { body, headers: { ...versionHeaders[format], 'content-encoding': 'snappy', 'user-agent': USER_AGENT } };
}

function isSuccess({ status }: ReceiverResponse): boolean {
  return status >= 200 && status <= 299;
}
