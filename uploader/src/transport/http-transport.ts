import type { Clock } from '@thugshells/shared/clock.ts';
import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { DateAnswer } from '../clock/receiver-clock.ts';
import { HttpClient, type HttpClientOptions, type HttpResponse, type RequestAttempt } from './http-client.ts';
import type { Protocol } from './protocol.ts';
import type { ReceiverResponse } from './response-outcome.ts';
import type { ReceiverClient, SendOutcome, SendResult } from './transport.ts';

export interface HttpTransportOptions extends HttpClientOptions {
  readonly clock: Clock;
  readonly protocol: Protocol;
}

/** VictoriaMetrics and vmauth put it into every response; a portal has no reason to invent it. */
const SERVER_HOSTNAME = 'x-server-hostname';
const PROXY_AUTHENTICATION_REQUIRED = 407;
/** Of an error: several names of files of this device may be in it. */
const MAX_REASON_LENGTH = 1_000;

/** A proxy's statuses for a receiver that does not respond; the proxy's own connection to this device stays open. */
const RECEIVER_GONE: readonly number[] = [502, 503, 504];

/** Sends chunks over HTTP. The protocol builds the requests and interprets the responses. */
export class HttpTransport implements ReceiverClient {
  readonly #options: HttpTransportOptions;
  readonly #endpoint: string;
  readonly #client: HttpClient;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#endpoint = maskCredentials(options.remoteUrl);
    this.#client = new HttpClient(options);
  }

  get format(): BodyFormatName {
    return this.#options.protocol.format;
  }

  get sendsOldestFirst(): boolean {
    return this.#options.protocol.sendsOldestFirst;
  }

  onConnectionClosed(listener: (connection: number) => void): void {
    this.#client.connections.onClosed(listener);
  }

  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const result = await this.#send(chunk, signal);
    if (result.outcome.kind === 'delivered') await this.#negotiate(signal);
    return result;
  }

  async requestDate(url: string, signal: AbortSignal): Promise<DateAnswer> {
    const { statusCode: status, headers } = await this.#client.requestHead(url, signal);
    if (isOfSomebodyElse(status)) return { isReceivers: false };
    const isReceivers = headers[SERVER_HOSTNAME] !== undefined || new URL(url).protocol === 'https:';
    return { date: headers.date, age: headers.age, isReceivers };
  }

  async checkReceiver(signal: AbortSignal): Promise<number | undefined> {
    try {
      const { status, connection } = await this.#client.requestHealth(signal);
      // A proxy without a path /health responds 404, which proves as much as its 200 would.
      return status < 500 ? connection : undefined;
    } catch {
      // A token that cannot be read, or no response: the next chunk reports it.
      return undefined;
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#client.close();
  }

  async #send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, protocol } = this.#options;
    const attempts: RequestAttempt[] = [];
    const startedAt = clock.monotonic();
    const measure = () => ({
      endpoint: this.#endpoint,
      durationMs: clock.monotonic() - startedAt,
      connection: attempts.at(-1)?.connection,
      bytesSent: attempts.reduce((sum, { bytesSent }) => sum + bytesSent(), 0),
    });
    const sentAtMs = clock.sinceBoot();
    try {
      const response = await this.#client.post(protocol.toRequest(chunk), signal, attempts);
      const receivedAtMs = clock.sinceBoot();
      const { statusCode: status, headers, body } = response;
      const outcome = protocol.judge(this.#toReceiverResponse(response), chunk);
      const measured = measure();
      if (measured.connection !== undefined && RECEIVER_GONE.includes(status))
        this.#client.connections.reportClosed(measured.connection);
      return {
        ...measured,
        outcome,
        status,
        bytesReceived: body.length,
        isClosing: headers.connection?.toLowerCase() === 'close',
        date: headers.date,
        age: headers.age,
        sentAtMs,
        receivedAtMs,
      };
    } catch (error) {
      signal.throwIfAborted();
      const outcome = toErrorOutcome(error);
      return { ...measure(), outcome, errorCode: toErrorCode(error), bytesReceived: 0, isClosing: false };
    }
  }

  /** Asks a receiver that has just accepted samples which versions it supports, if the protocol does not know yet. */
  async #negotiate(signal: AbortSignal): Promise<void> {
    const { protocol } = this.#options;
    const request = protocol.negotiation();
    if (request === undefined) return;
    try {
      protocol.negotiated(this.#toReceiverResponse(await this.#client.post(request, signal, [])));
    } catch {
      // The next delivered chunk asks again.
    }
  }

  #toReceiverResponse({ statusCode: status, headers, body }: HttpResponse): ReceiverResponse {
    return {
      status,
      // The text may be logged.
      body: this.#client.mask(body.toString('utf8')),
      retryAfter: headers['retry-after'],
      date: headers.date,
      location: headers.location,
      contentType: headers['content-type'],
      samplesWritten: headers['x-prometheus-remote-write-samples-written']?.toString(),
    };
  }
}

/** Whether a status comes from a portal or a proxy rather than from the receiver: redirects, and failures of a gateway. */
function isOfSomebodyElse(status: number): boolean {
  return status < 200 || (status >= 300 && status <= 399) || status === PROXY_AUTHENTICATION_REQUIRED || status >= 500;
}

/** Errors that hold all uploads until somebody changes a file of this device or the proxy; others may pass. */
const HOLDING: readonly (string | undefined)[] = ['FILE_UNUSABLE', 'PROXY_REFUSED'];

function toErrorOutcome(error: unknown): SendOutcome {
  const kind = HOLDING.includes(toErrorCode(error)) ? 'hold' : 'retry';
  // It may have a name of somebody's certificate in it.
  return { kind, reason: toExcerpt(toErrorMessage(error), MAX_REASON_LENGTH) };
}
