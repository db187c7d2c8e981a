import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { DateAnswer } from '../clock/receiver-clock.ts';
import type { RestartAnswer, RestartSign } from '../queue/restart-signs.ts';
import { isCloseAnnounced } from './connection-watch.ts';
import { requestDate } from './date-request.ts';
import { isRefused, toFailureReason } from './failure-reasons.ts';
import { HttpClient, type HttpClientOptions, type HttpResponse, type RequestAttempt } from './http-client.ts';
import type { Protocol } from './protocol.ts';
import { isOfSomebodyElse } from './response-origin.ts';
import { ReceiverHabits } from './receiver-habits.ts';
import type { ReceiverResponse } from './response-outcome.ts';
import { decodeMetrics, readStorageUptime } from './start-time.ts';
import type { HealthResponse, ReceiverClient, SendOutcome, SendResult } from './transport.ts';

export interface HttpTransportOptions extends HttpClientOptions {
  readonly protocol: Protocol;
}

const TOO_MANY_REQUESTS = 429;
/** Of an error: several names of files of this device may be in it. */
const MAX_REASON_LENGTH = 1_000;

/** A proxy's statuses for a receiver that does not respond; tinyproxy's is 500. */
const PROXY_ERRORS: readonly number[] = [500, 502, 503, 504];

/** By how much an uptime in metrics may be too low: whole seconds, and metrics that are computed once a second. */
const MAX_UPTIME_LAG_MS = 3_000;

/** Errors that hold all uploads until somebody changes a file of this device or the proxy; others may pass. */
const HOLDING: readonly (string | undefined)[] = ['FILE_UNUSABLE', 'PROXY_REFUSED'];

/** Sends chunks over HTTP. The protocol builds the requests and interprets the responses. */
export class HttpTransport implements ReceiverClient {
  readonly #options: HttpTransportOptions;
  readonly #endpoint: string;
  readonly #client: HttpClient;
  readonly #listeners: ((sign: RestartSign) => void)[] = [];
  readonly #habits = new ReceiverHabits();

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#endpoint = maskCredentials(options.remoteUrl);
    this.#client = new HttpClient(options);
    this.#client.watch.onEnd((end) => this.#reportSign(end));
  }

  get format(): BodyFormatName {
    return this.#options.protocol.format;
  }

  get sendsOldestFirst(): boolean {
    return this.#options.protocol.sendsOldestFirst;
  }

  onRestartSign(listener: (sign: RestartSign) => void): void {
    this.#listeners.push(listener);
  }

  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const result = await this.#send(chunk, signal);
    if (result.outcome.kind === 'delivered') await this.#negotiate(signal);
    return result;
  }

  async requestDate(url: string, signal: AbortSignal): Promise<DateAnswer> {
    const { clock, certificateTime } = this.#options;
    const requestHead = this.#requestHead.bind(this);
    return requestDate({ clock, certificateTime, requestHead }, url, signal);
  }

  async checkReceiver(signal: AbortSignal): Promise<HealthResponse | undefined> {
    try {
      const { response, connection } = await this.#client.requestHealth(signal);
      const { statusCode: status, headers } = response;
      this.#reportStatus(status);
      if (status >= 500) return undefined;
      const isGood = status >= 200 && status <= 299;
      const isReceiver = isGood && !this.#habits.lacksServerHeader(headers);
      return { connection, isClosing: isCloseAnnounced(response), isReceiver };
    } catch (error) {
      // A token that cannot be read, or no response: the next chunk reports it.
      this.#reportError(error);
      return undefined;
    }
  }

  async askStartTime(signal: AbortSignal): Promise<RestartAnswer> {
    const { clock } = this.#options;
    const askedAtMs = clock.sinceBoot();
    try {
      const { response, connection } = await this.#client.requestMetrics(signal);
      const answeredAtMs = clock.sinceBoot();
      const { statusCode: status, headers, body } = response;
      this.#reportStatus(status);
      const isPage = status === 200 && headers['content-type']?.startsWith('text/html') === true;
      if (isOfSomebodyElse(status) || status === TOO_MANY_REQUESTS || isPage) return { kind: 'unanswered' };
      const text = status === 200 ? decodeMetrics(body, headers['content-encoding']) : '';
      const uptimeSeconds = readStorageUptime(text);
      if (uptimeSeconds === undefined) return { kind: 'unreadable' };
      const uptimeMs = uptimeSeconds * 1000;
      return {
        kind: 'started',
        earliestMs: askedAtMs - uptimeMs - MAX_UPTIME_LAG_MS,
        latestMs: answeredAtMs - uptimeMs,
        connection: isCloseAnnounced(response) ? undefined : connection,
      };
    } catch (error) {
      this.#reportError(error);
      return { kind: 'unanswered' };
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
      idleBeforeMs: attempts.at(-1)?.idleBeforeMs,
      bytesSent: attempts.reduce((sum, { bytesSent }) => sum + bytesSent(), 0),
    });
    const sentAtMs = clock.sinceBoot();
    try {
      const response = await this.#client.post(protocol.toRequest(chunk), signal, attempts);
      const receivedAtMs = clock.sinceBoot();
      const { statusCode: status, headers, body } = response;
      const outcome = protocol.judge(this.#toReceiverResponse(response), chunk);
      this.#reportStatus(status);
      if (outcome.kind === 'delivered') this.#habits.learn(status, headers);
      return {
        ...measure(),
        outcome,
        status,
        bytesReceived: body.length,
        isClosing: isCloseAnnounced(response),
        date: headers.date,
        age: headers.age,
        sentAtMs,
        receivedAtMs,
      };
    } catch (error) {
      signal.throwIfAborted();
      return {
        ...measure(),
        ...this.#toFailure(error, attempts.at(-1)?.head, chunk),
        bytesReceived: 0,
        isClosing: false,
      };
    }
  }

  #toFailure(
    error: unknown,
    head: RequestAttempt['head'],
    chunk: Chunk,
  ): Pick<SendResult, 'outcome' | 'status' | 'errorCode'> {
    this.#reportError(error);
    this.#reportStatus(head?.statusCode ?? 0);
    const ofStatus = this.#judgeUnreadResponse(error, head, chunk);
    if (ofStatus !== undefined) return { outcome: ofStatus, status: head?.statusCode };
    return { outcome: this.#toErrorOutcome(error), errorCode: toErrorCode(error) };
  }

  #reportStatus(status: number): void {
    if (PROXY_ERRORS.includes(status)) this.#reportSign({ kind: 'proxy error' });
  }

  #reportError(error: unknown): void {
    if (!isRefused(error)) return;
    // Of a proxy that is down nothing is known of the receiver behind it.
    this.#reportSign({ kind: this.#isThroughProxy() ? 'proxy error' : 'connection refused' });
  }

  #isThroughProxy(url = this.#options.remoteUrl): boolean {
    return this.#options.proxyFor(url) !== '';
  }

  #reportSign(sign: RestartSign): void {
    for (const listener of this.#listeners) listener(sign);
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

  async #requestHead(url: string, signal: AbortSignal): ReturnType<HttpClient['requestHead']> {
    try {
      return await this.#client.requestHead(url, signal);
    } catch (error) {
      throw new AgentError(this.#client.mask(toFailureReason(error, this.#isThroughProxy(url)), url), {
        code: toErrorCode(error) ?? 'REQUEST_FAILED',
      });
    }
  }

  /** Without the secrets of this device: each of these texts may be logged and stored. */
  #toReceiverResponse({
    statusCode: status,
    headers,
    body,
  }: Pick<HttpResponse, 'statusCode' | 'headers' | 'body'>): ReceiverResponse {
    const mask = (text: string | undefined): string | undefined => text && this.#client.mask(text);
    return {
      status,
      body: this.#client.mask(body.toString('utf8')),
      retryAfter: mask(headers['retry-after']),
      date: mask(headers.date),
      location: headers.location && maskCredentials(this.#client.mask(headers.location)),
      requestUrl: this.#endpoint,
      contentType: mask(headers['content-type']),
      samplesWritten: mask(headers['x-prometheus-remote-write-samples-written']?.toString()),
      lacksServerHeader: this.#habits.lacksServerHeader(headers),
      hasNoContentBefore: this.#habits.hasNoContentBefore,
    };
  }

  /** The status decides, however long its page is, or how that breaks off; a success without its end is none. */
  #judgeUnreadResponse(error: unknown, head: RequestAttempt['head'], chunk: Chunk): SendOutcome | undefined {
    const { statusCode = 0, headers = {} } = head ?? {};
    if (statusCode < 300) return undefined;
    const body = Buffer.from(toFailureReason(error, this.#isThroughProxy()));
    return this.#options.protocol.judge(this.#toReceiverResponse({ statusCode, headers, body }), chunk);
  }

  #toErrorOutcome(error: unknown): SendOutcome {
    const kind = HOLDING.includes(toErrorCode(error)) ? 'hold' : 'retry';
    // It may have a name of somebody's certificate in it, or the words of a proxy.
    const reason = this.#client.mask(toFailureReason(error, this.#isThroughProxy()));
    return { kind, reason: toExcerpt(reason, MAX_REASON_LENGTH) };
  }
}
