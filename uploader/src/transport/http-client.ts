// A few lines longer than a file should be: the one adapter of got.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { checkServerIdentity } from 'node:tls';

import { got, type Got, type Response } from 'got';

import type { Clock } from '@thugshells/shared/clock.ts';
import { createLinkedController } from '@thugshells/shared/abort.ts';
import { findUrlSecrets, maskSecrets } from '@thugshells/shared/config/secret-mask.ts';
import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';

import type { CertificateTime } from './certificate-time.ts';
import { ConnectionPool, type Agents, type ConnectionPoolOptions } from './connection-pool.ts';
import { ConnectionWatch, type UsedConnection } from './connection-watch.ts';
import type { Credentials } from './credentials.ts';
import type { ProtocolRequest } from './protocol.ts';
import { findBeside } from './receiver-address.ts';
import { createTooLong, watchLength } from './response-limit.ts';
import { isFromVerifiedPeer, receiveVerified } from './verified-response.ts';
import type { IdentityCheck } from './verifying-agent.ts';

export interface HttpClientOptions extends ConnectionPoolOptions {
  readonly clock: Clock;
  readonly remoteUrl: string;
  readonly remoteTimeoutMs: number;
  readonly credentials: Credentials;
  /** Undefined where the clock of this device judges certificates. */
  readonly certificateTime?: CertificateTime | undefined;
}

/** A response whose body is read. */
export type HttpResponse = Response<Buffer>;

/** A request without samples. */
interface RequestBeside {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly href: string;
  readonly form?: URLSearchParams;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** A response to a request without samples. */
export interface ResponseBeside {
  readonly response: HttpResponse;
  readonly connection: number | undefined;
}

/** One attempt to send a request, as observed on its socket. */
export interface RequestAttempt {
  /** Of a response that may not have been read to its end: a proxy may send its error and reset the connection. */
  head?: Pick<IncomingMessage, 'statusCode' | 'headers'>;
  connection?: number;
  idleBeforeMs?: number | undefined;
  bytesSent: () => number;
  /** The connection carried earlier requests, and no response has begun. */
  isOverReusedConnection: boolean;
}

/** A receiver's response is empty or a few hundred bytes; the page of a portal may have any size. */
const MAX_RESPONSE_BYTES = 64 * 1024;
/** The receiver's metrics take 10 KB gzipped; some receivers do not gzip theirs. */
const MAX_METRICS_BYTES = 1024 ** 2;
const FORM = 'application/x-www-form-urlencoded';
/** Timeout of requests without a body: a response that takes longer no longer shows the present time or state. */
const SHORT_TIMEOUT_MS = 10_000;

/**
 * Error codes with which a request fails when the connection that was kept for it has just been closed. VictoriaMetrics
 * closes a connection after two minutes, idle or not, and a request may cross the close.
 */
const CONNECTION_CLOSED: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE'];

const MEANWHILE = 'the time of another server was being verified while the connection was opened';

/** The adapter of got: requests to the endpoint over connections that are kept alive, with its credentials. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #connections: ConnectionPool;
  /** Of the kept connections. */
  readonly watch: ConnectionWatch;
  readonly #client: Got;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const { origin } = new URL(options.remoteUrl);
    const createCheck = (): IdentityCheck => this.#createIdentityCheck();
    this.#connections = new ConnectionPool(options, (url) =>
      new URL(url).origin === origin ? createCheck : undefined,
    );
    this.watch = new ConnectionWatch(options.clock);
    this.#client = got.extend({
      // RetryingTransport retries: it knows the queue, the clock and the receiver's Retry-After.
      retry: { limit: 0 },
      throwHttpErrors: false,
      // A redirect would carry the token and the samples to a server that was not configured.
      followRedirect: false,
      timeout: { request: options.remoteTimeoutMs },
      // Each header that got adds by itself would be sent with every chunk.
      headers: { 'user-agent': undefined, 'accept-encoding': undefined, accept: undefined },
      decompress: false,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED is.
      https: { rejectUnauthorized: true },
    });
  }

  /**
   * Sends a request to the endpoint; once more, at once, when the connection that was kept for it had been closed.
   *
   * @param attempts receives what was observed of each attempt, also when the request fails
   */
  async post(request: ProtocolRequest, signal: AbortSignal, attempts: RequestAttempt[]): Promise<HttpResponse> {
    for (;;) {
      const attempt: RequestAttempt = { bytesSent: () => 0, isOverReusedConnection: false };
      attempts.push(attempt);
      try {
        return await this.#postOnce(request, signal, attempt);
      } catch (error) {
        const wasClosed = attempt.isOverReusedConnection && CONNECTION_CLOSED.includes(toErrorCode(error));
        if (!wasClosed || attempts.length > 1 || signal.aborted) throw error;
      }
    }
  }

  /** Requests the headers of a URL over a connection of its own: an upload in flight may take long. */
  async requestHead(url: string, signal: AbortSignal): Promise<Response> {
    const isSameOrigin = new URL(url).origin === new URL(this.#options.remoteUrl).origin;
    const { controller, release } = createLinkedController(signal);
    this.#options.certificateTime?.apply();
    const request = this.#client.head(url, {
      ...(isSameOrigin ? this.#authentication() : {}),
      agent: this.#connections.createAgents(url),
      signal: controller.signal,
      timeout: { request: SHORT_TIMEOUT_MS },
    });
    return receiveVerified(request, { controller, timeoutMs: SHORT_TIMEOUT_MS }).finally(release);
  }

  /** Requests the health address beside the import path, without a body, over a kept connection. */
  async requestHealth(signal: AbortSignal): Promise<ResponseBeside> {
    return this.#requestBeside(this.#toRequest('HEAD', 'health'), signal);
  }

  /** Requests the receiver's own metrics over a kept connection; they may be gzipped. */
  async requestMetrics(signal: AbortSignal): Promise<ResponseBeside> {
    return this.#requestBeside(this.#toRequest('GET', 'metrics'), signal);
  }

  /**
   * Posts a form to an address of the same origin over a kept connection; the response may be gzipped.
   *
   * @throws AgentError ANSWER_TOO_LONG
   */
  async postForm(
    href: string,
    form: URLSearchParams,
    { signal, ...limits }: Pick<RequestBeside, 'maxBytes' | 'timeoutMs'> & { readonly signal: AbortSignal },
  ): Promise<HttpResponse> {
    return (await this.#requestBeside({ method: 'POST', href, form, ...limits }, signal)).response;
  }

  /** Gets a short page of the same origin over a kept connection; it may be gzipped. */
  async getPage(href: string, signal: AbortSignal): Promise<HttpResponse> {
    const limits = { maxBytes: MAX_METRICS_BYTES, timeoutMs: SHORT_TIMEOUT_MS };
    return (await this.#requestBeside({ method: 'GET', href, ...limits }, signal)).response;
  }

  /**
   * Returns a text of a receiver or a proxy, or an error, without the secrets that were sent: they may be repeated in it.
   *
   * @param url what was requested; the endpoint by default
   */
  mask(text: string, url: string = this.#options.remoteUrl): string {
    const { remoteUrl, credentials, proxyFor } = this.#options;
    const urls = [remoteUrl, url, proxyFor(remoteUrl), proxyFor(url)];
    return text === '' ? text : maskSecrets(text, [...urls.flatMap(findUrlSecrets), ...credentials.secrets]);
  }

  /** Closes idle connections. */
  close(): void {
    this.watch.close();
    this.#connections.close();
  }

  #toRequest(method: 'GET' | 'HEAD', name: string): RequestBeside {
    const { href } = findBeside(this.#options.remoteUrl, name);
    return { method, href, maxBytes: MAX_METRICS_BYTES, timeoutMs: SHORT_TIMEOUT_MS };
  }

  async #requestBeside(request: RequestBeside, signal: AbortSignal): Promise<ResponseBeside> {
    const { method, href, form, maxBytes, timeoutMs } = request;
    const { controller, release } = createLinkedController(signal);
    const used: Partial<UsedConnection> = {};
    const { headers, https } = this.#authentication();
    const encoding = {
      ...(method === 'HEAD' ? {} : { 'accept-encoding': 'gzip' }),
      ...(form && { 'content-type': FORM }),
    };
    const sent = this.#client(href, {
      method,
      https,
      headers: { ...headers, ...encoding },
      ...(form && { body: form.toString() }),
      agent: this.#agentsFor(href),
      signal: controller.signal,
      timeout: { request: timeoutMs },
      responseType: 'buffer',
    });
    const observe = (outgoing: ClientRequest): void =>
      void outgoing.once('socket', (socket) => Object.assign(used, this.watch.observe(outgoing, socket)));
    void sent.on('request', observe);
    const limit = watchLength(sent, maxBytes, controller);
    try {
      const response = await receiveVerified(sent, { controller, timeoutMs });
      return { response, connection: used.connection };
    } catch (error) {
      throw limit.isPassed ? createTooLong(maxBytes) : error;
    } finally {
      release();
    }
  }

  #agentsFor(url: string): Agents {
    return this.watch.takeClosing() ? this.#connections.createAgents(url) : this.#connections.keptAgents(url);
  }

  async #postOnce(
    { body, headers }: ProtocolRequest,
    signal: AbortSignal,
    attempt: RequestAttempt,
  ): Promise<HttpResponse> {
    const { remoteTimeoutMs: timeoutMs } = this.#options;
    const authentication = this.#authentication();
    const { controller, release } = createLinkedController(signal);
    const request = this.#client.post(this.#options.remoteUrl, {
      agent: this.#agentsFor(this.#options.remoteUrl),
      body,
      headers: { ...authentication.headers, ...headers },
      https: authentication.https,
      responseType: 'buffer',
      signal: controller.signal,
    });
    void request.on('request', (outgoing: ClientRequest) => this.#observe(outgoing, attempt));
    const limit = watchLength(request, MAX_RESPONSE_BYTES, controller);
    try {
      return await receiveVerified(request, { controller, timeoutMs });
    } catch (error) {
      throw limit.isPassed ? createTooLong(MAX_RESPONSE_BYTES) : error;
    } finally {
      release();
    }
  }

  #observe(outgoing: ClientRequest, attempt: RequestAttempt): void {
    outgoing.once('socket', (socket) => {
      const before = socket.bytesWritten;
      let isConnected = !socket.connecting;
      if (socket.connecting) socket.once('connect', () => (isConnected = true));
      Object.assign(attempt, this.watch.observe(outgoing, socket));
      attempt.isOverReusedConnection = outgoing.reusedSocket;
      // Bytes that are buffered for a connection that was never established count as written, and were not sent.
      attempt.bytesSent = () => (isConnected ? socket.bytesWritten - before : 0);
    });
    outgoing.once('response', ({ statusCode, headers }) => {
      attempt.isOverReusedConnection = false;
      if (isFromVerifiedPeer(outgoing)) attempt.head = { statusCode, headers };
    });
  }

  /** Read for every request: the files may change while the uploader runs. */
  #authentication() {
    const { credentials, certificateTime } = this.#options;
    certificateTime?.apply();
    return { headers: credentials.headers(), https: credentials.tls() };
  }

  #createIdentityCheck(): IdentityCheck {
    const { remoteUrl, certificateTime } = this.#options;
    const host = new URL(remoteUrl).hostname.replace(/^\[|\]$/g, '');
    const isUsable = certificateTime?.watch() ?? (() => true);
    // Checked against the configured host: through a proxy, TLS does not know a host that is an IP address.
    return (_, certificate) =>
      isUsable() ? checkServerIdentity(host, certificate) : new AgentError(MEANWHILE, { code: 'TIME_UNCERTAIN' });
  }
}
