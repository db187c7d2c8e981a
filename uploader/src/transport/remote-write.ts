import type { Clock } from '@thugshells/shared/clock.ts';
import { includes, merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { readVersion } from '@thugshells/shared/process/version.ts';

import type { Chunk } from '../chunk.ts';
import { RemoteWriteV1Format } from '../encoding/formats/remote-write-v1.ts';
import { RemoteWriteV2Format } from '../encoding/formats/remote-write-v2.ts';
import type { Protocol, ProtocolRequest } from './protocol.ts';
import { toOutcome, type ReceiverResponse } from './response-outcome.ts';
import type { SendOutcome } from './transport.ts';

type RemoteWriteFormat = 'remote-write-1' | 'remote-write-2';

const UNSUPPORTED_MEDIA_TYPE = 415;
/** Both specifications require it of a sender. */
const USER_AGENT = `thugshells/${readVersion()}`;

/** How often a receiver of 1.0 is asked whether it supports 2.0: always, and while its Server header changes. */
const ASK_INTERVAL_MS = 86_400_000;
const MIN_ASK_INTERVAL_MS = 3_600_000;

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
 *   2.0   the beginning. A response with the count that a receiver of 2.0 has to send proves it. A success without that, or
 *         a 415, comes from a receiver that does not support it, or that reads it as an empty message of 1.0: nothing is
 *         delivered                                                                        → 1.0
 *   1.0   once a day, and when the receiver's Server header changes, a 2.0 request without samples asks again
 *         the response has the count                                                       → 2.0
 *         the receiver counts no sample of a 1.0 message: it has read that as 2.0          → 2.0
 *
 * A receiver of 2.0 may count only what is new to it. So a chunk is delivered if it counts as many samples as were never
 * sent before; if it counts fewer, which ones is not known, and the chunk counts as rejected.
 */
export class RemoteWriteProtocol implements Protocol {
  readonly sendsOldestFirst = true;
  readonly hasHealthAddress = false;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #format: RemoteWriteFormat = 'remote-write-2';
  #askedAtMs = -Infinity;
  #server: string | undefined;
  #hasServerChanged = false;
  /** Ids of samples that the receiver may have from earlier requests. */
  #offered: readonly IdRange[] = [];
  /** The samples of a chunk that it cannot have yet. */
  readonly #fresh = new WeakMap<Chunk, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  get format(): RemoteWriteFormat {
    return this.#format;
  }

  toRequest(chunk: Chunk): ProtocolRequest {
    const { body, format, ids, ranges, count } = chunk;
    if (format !== 'remote-write-2') return createRequest(body, 'remote-write-1');
    const repeated = ids.reduce((sum, id) => sum + (includes(this.#offered, id) ? 1 : 0), 0);
    this.#fresh.set(chunk, count - repeated);
    this.expectRepeats(ranges);
    return createRequest(body, format);
  }

  expectRepeats(ranges: readonly IdRange[]): void {
    this.#offered = merge([...this.#offered, ...ranges]);
  }

  judge(response: ReceiverResponse, chunk: Chunk): SendOutcome {
    if (isSuccess(response)) this.#learnServer(response);
    return chunk.format === 'remote-write-2'
      ? this.#judgeVersion2(response, chunk)
      : this.#judgeVersion1(response, chunk.count);
  }

  question(): ProtocolRequest {
    return this.#format === 'remote-write-2'
      ? this.#ask()
      : createRequest(new RemoteWriteV1Format().finish(), 'remote-write-1');
  }

  negotiation(): ProtocolRequest | undefined {
    if (this.#format === 'remote-write-2') return undefined;
    const sinceAskedMs = this.#clock.monotonic() - this.#askedAtMs;
    return sinceAskedMs >= (this.#hasServerChanged ? MIN_ASK_INTERVAL_MS : ASK_INTERVAL_MS) ? this.#ask() : undefined;
  }

  answered({ headers }: ProtocolRequest, response: ReceiverResponse): SendOutcome {
    const { status, samplesWritten } = response;
    const outcome = toOutcome(response, 0);
    if (headers['content-type'] !== versionHeaders['remote-write-2']['content-type']) return outcome;
    if (isSuccess(response) && samplesWritten !== undefined) {
      this.#format = 'remote-write-2';
      return { kind: 'delivered' };
    }
    // Nothing is wrong with such a request but its version.
    const isUnsupported = status === UNSUPPORTED_MEDIA_TYPE || outcome.kind === 'rejected';
    if (isUnsupported || outcome.kind === 'delivered') this.#format = 'remote-write-1';
    return status === UNSUPPORTED_MEDIA_TYPE ? { kind: 'delivered' } : outcome;
  }

  #ask(): ProtocolRequest {
    this.#askedAtMs = this.#clock.monotonic();
    this.#hasServerChanged = false;
    return createRequest(new RemoteWriteV2Format().finish(), 'remote-write-2');
  }

  #learnServer({ server = '' }: ReceiverResponse): void {
    this.#hasServerChanged ||= this.#server !== undefined && this.#server !== server;
    this.#server = server;
  }

  /** A receiver of 1.0 sends no count, so that one is no word about the message unless it is 0. */
  #judgeVersion1(response: ReceiverResponse, sent: number): SendOutcome {
    const { status, samplesWritten } = response;
    if (!isSuccess(response) || samplesWritten === undefined || Number(samplesWritten) > 0 || sent === 0)
      return toOutcome(response, sent);
    this.#format = 'remote-write-2';
    return {
      kind: 'hold',
      reason: `HTTP ${status}, but ${samplesWritten} of ${sent} samples written: the receiver read remote write 1.0 as 2.0; 2.0 is used next`,
    };
  }

  #judgeVersion2(response: ReceiverResponse, chunk: Chunk): SendOutcome {
    const { status, samplesWritten } = response;
    const isCounted = isSuccess(response) && samplesWritten !== undefined;
    const outcome = toOutcome(response, chunk.count);
    if (!isCounted && (outcome.kind === 'delivered' || status === UNSUPPORTED_MEDIA_TYPE)) {
      this.#format = 'remote-write-1';
      this.#askedAtMs = this.#clock.monotonic();
      return {
        kind: 'hold',
        reason: `HTTP ${status} from a receiver that does not support remote write 2.0; 1.0 is used next`,
      };
    }
    // A page is no success, and a success without the count none of 2.0.
    if (!isCounted)
      return outcome.kind === 'partial' ? { kind: 'retry', reason: `HTTP ${status} without a count` } : outcome;
    return this.#judgeCount(status, samplesWritten, chunk);
  }

  /** The body is reserved by the specification. The header proves what the success page of a portal cannot. */
  #judgeCount(status: number, written: string, chunk: Chunk): SendOutcome {
    const { count, ranges } = chunk;
    if (!/^\d+$/.test(written))
      return { kind: 'retry', reason: `HTTP ${status} with an unreadable count of samples written` };
    if (Number(written) >= (this.#fresh.get(chunk) ?? count)) return { kind: 'delivered' };
    // Its parts are to be counted in full: this request has shown what the receiver does with new samples.
    this.#offered = subtract(this.#offered, merge(ranges));
    return { kind: 'rejected', reason: `HTTP ${status}, but ${written} of ${count} samples written` };
  }
}

function createRequest(body: Uint8Array, format: RemoteWriteFormat): ProtocolRequest {
  return { body, headers: { ...versionHeaders[format], 'content-encoding': 'snappy', 'user-agent': USER_AGENT } };
}

function isSuccess({ status }: ReceiverResponse): boolean {
  return status >= 200 && status <= 299;
}
