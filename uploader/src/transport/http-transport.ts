import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { DateAnswer } from '../clock/receiver-clock.ts';
import type { RestartAnswer, RestartSign } from '../queue/restart-signs.ts';
import { canConnect } from './connection-check.ts';
import { isCloseAnnounced } from './connection-watch.ts';
import { requestDate } from './date-request.ts';
import { isRefused, toFailureReason } from './failure-reasons.ts';
import { HttpClient, type HttpClientOptions, type RequestAttempt } from './http-client.ts';
import type { Protocol, ProtocolRequest } from './protocol.ts';
import { ReceiverHabits } from './receiver-habits.ts';
import { toReceiverResponse, type ResponseParts } from './receiver-response.ts';
import type { ReceiverResponse } from './response-outcome.ts';
import { toRestartAnswer } from './start-time.ts';
import type { HealthResponse, ReceiverClient, SendOutcome, SendResult } from './transport.ts';

export interface HttpTransportOptions extends HttpClientOptions {
  readonly protocol: Protocol;
}

/** Of an error: several names of files of this device may be in it. */
const MAX_REASON_LENGTH = 1_000;

/** A proxy's statuses for a receiver that does not respond; tinyproxy's is 500. */
const PROXY_ERRORS: readonly number[] = [500, 502, 503, 504];

/** Errors that hold all uploads until somebody changes a file of this device or the proxy; others may pass. */
const HOLDING: readonly (string | undefined)[] = ['FILE_UNUSABLE', 'PROXY_REFUSED'];

type Judge = (response: ReceiverResponse) => SendOutcome;

/** Sends chunks over HTTP. The protocol builds the requests and interprets the responses. */
export class HttpTransport implements ReceiverClient {
  readonly #options: HttpTransportOptions;
  readonly #endpoint: string;
  readonly #client: HttpClient;
  /** Of the credentials, when the last request to the address of the uploads was sent. */
  #credentialsVersion = '';
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

  get checksConnection(): boolean {
    return !this.#options.protocol.hasHealthAddress;
  }

  expectRepeats(ranges: readonly IdRange[]): void {
    this.#options.protocol.expectRepeats(ranges);
  }

  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { protocol } = this.#options;
    const result = await this.#send(protocol.toRequest(chunk), (response) => protocol.judge(response, chunk), signal);
    const negotiation = result.outcome.kind === 'delivered' ? protocol.negotiation() : undefined;
    if (negotiation !== undefined) await this.#ask(negotiation, signal);
    return result;
  }

  ask(signal: AbortSignal): Promise<SendResult> {
    const question = this.#options.protocol.question();
    if (question === undefined) throw new Error('this protocol asks at the health address');
    return this.#ask(question, signal);
  }

  async requestDate(url: string, signal: AbortSignal): Promise<DateAnswer> {
    const { clock, certificateTime } = this.#options;
    const requestHead = this.#requestHead.bind(this);
    return requestDate({ clock, certificateTime, requestHead }, url, signal);
  }

  haveCredentialsChanged(): boolean {
    return this.#options.credentials.findVersion() !== this.#credentialsVersion;
  }

  async checkReceiver(signal: AbortSignal): Promise<HealthResponse | undefined> {
    if (!this.checksConnection) return this.confirmConnection(signal);
    const { remoteUrl } = this.#options;
    const isThere = !this.#isThroughProxy() && (await canConnect(remoteUrl, signal));
    return isThere ? { connection: undefined, isClosing: false, isReceiver: true } : undefined;
  }

  async confirmConnection(signal: AbortSignal): Promise<HealthResponse | undefined> {
    if (this.checksConnection) {
      const { outcome, connection, isClosing } = await this.ask(signal);
      return outcome.kind === 'delivered' ? { connection, isClosing, isReceiver: true } : undefined;
    }
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
    // Only VictoriaMetrics has an uptime there, and it names itself in each response.
    if (this.checksConnection && !this.#habits.hasServerHeader) return { kind: 'unreadable' };
    const askedAtMs = clock.sinceBoot();
    try {
      const { response, connection } = await this.#client.requestMetrics(signal);
      this.#reportStatus(response.statusCode);
      return toRestartAnswer(response, { connection, askedAtMs, answeredAtMs: clock.sinceBoot() });
    } catch (error) {
      this.#reportError(error);
      return { kind: 'unanswered' };
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#client.close();
  }

  #ask(question: ProtocolRequest, signal: AbortSignal): Promise<SendResult> {
    const { protocol } = this.#options;
    return this.#send(question, (response) => protocol.answered(question, response), signal, false);
  }

  async #send(request: ProtocolRequest, judge: Judge, signal: AbortSignal, hasSamples = true): Promise<SendResult> {
    const { clock, credentials } = this.#options;
    this.#credentialsVersion = credentials.findVersion();
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
      const response = await this.#client.post(request, signal, attempts);
      const receivedAtMs = clock.sinceBoot();
      const { statusCode: status, headers, body } = response;
      const outcome = judge(this.#toReceiverResponse(response));
      this.#reportStatus(status);
      if (hasSamples && outcome.kind === 'delivered') this.#habits.learn(status, headers);
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
      const failure = this.#toFailure(error, attempts.at(-1)?.head, judge);
      return { ...measure(), ...failure, bytesReceived: 0, isClosing: false };
    }
  }

  #toFailure(
    error: unknown,
    head: RequestAttempt['head'],
    judge: Judge,
  ): Pick<SendResult, 'outcome' | 'status' | 'errorCode'> {
    this.#reportError(error);
    this.#reportStatus(head?.statusCode ?? 0);
    const ofStatus = this.#judgeUnreadResponse(error, head, judge);
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

  async #requestHead(url: string, signal: AbortSignal): ReturnType<HttpClient['requestHead']> {
    try {
      return await this.#client.requestHead(url, signal);
    } catch (error) {
      throw new AgentError(this.#client.mask(toFailureReason(error, this.#isThroughProxy(url)), url), {
        code: toErrorCode(error) ?? 'REQUEST_FAILED',
      });
    }
  }

  #toReceiverResponse(response: ResponseParts): ReceiverResponse {
    return toReceiverResponse(response, {
      mask: (text) => this.#client.mask(text),
      requestUrl: this.#endpoint,
      habits: this.#habits,
    });
  }

  /** The status decides, however long its page is, or how that breaks off; a success without its end is none. */
  #judgeUnreadResponse(error: unknown, head: RequestAttempt['head'], judge: Judge): SendOutcome | undefined {
    const { statusCode = 0, headers = {} } = head ?? {};
    if (statusCode < 300) return undefined;
    const body = Buffer.from(toFailureReason(error, this.#isThroughProxy()));
    return judge(this.#toReceiverResponse({ statusCode, headers, body }));
  }

  #toErrorOutcome(error: unknown): SendOutcome {
    const kind = HOLDING.includes(toErrorCode(error)) ? 'hold' : 'retry';
    // It may have a name of somebody's certificate in it, or the words of a proxy.
    const reason = this.#client.mask(toFailureReason(error, this.#isThroughProxy()));
    return { kind, reason: toExcerpt(reason, MAX_REASON_LENGTH) };
  }
}
