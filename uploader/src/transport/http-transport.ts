import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

import { got, type Got, type Response } from 'got';

import { controllerUnder } from '@thugshells/shared/abort.ts';
import type { Clock } from '@thugshells/shared/clock.ts';
import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { AgentError, codeOf, messageOf } from '@thugshells/shared/errors.ts';

import type { ReceiverResponse } from './response-outcome.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { DatedResponse } from '../clock/receiver-clock.ts';
import { ConnectionPool, type ConnectionPoolOptions } from './connection-pool.ts';
import type { Credentials } from './credentials.ts';
import type { Chunk } from '../encoding/encoder.ts';
import type { SendOutcome, ReceiverCheck, SendResult, Transport } from './transport.ts';

export interface HttpTransportOptions extends Pick<ConnectionPoolOptions, 'proxyFor' | 'lookup'> {
  readonly clock: Clock;
  readonly remoteUrl: string;
  readonly remoteTimeoutMs: number;
  readonly credentials: Credentials;
  /**
   * Told of each connection that ends, by either side, and of one over which a proxy says that the receiver is gone:
   * what it carried last is in doubt.
   */
  readonly onConnectionClosed: (connection: number) => void;
  /** Hears the Date of every answer of a receiver that took something. */
  readonly onDate?: (answer: DatedResponse) => void;
}

/** What was seen of one try to send a chunk. */
interface Try {
  connection?: number;
  bytesSent: () => number;
  /** It went over a connection that had carried others, and no answer had begun. */
  isOverKeptConnection: boolean;
}

/** What goes into the request that carries a chunk, besides what proves who sends it. */
export interface Envelope {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** A receiver's answer is empty or a few hundred bytes; a portal's page may be anything. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** A proxy's answers for a receiver that does not answer it; its own connection to us stays. */
const RECEIVER_GONE: readonly number[] = [502, 503, 504];

/** An answer without a body that took longer to come says little about now. */
const SHORT_TIMEOUT_MS = 10_000;

/**
 * How the end of a kept connection looks to the request that was about to use it. VictoriaMetrics closes a connection
 * after two minutes, idle or not, and the two cross each other.
 */
const CLOSED_MEANWHILE: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE'];

/**
 * Posts chunks over HTTP by got, one connection kept alive. What stands in a request and what an answer means is the
 * protocol's, which extends it.
 */
export abstract class HttpTransport implements Transport, ReceiverCheck {
  readonly #options: HttpTransportOptions;
  readonly #endpoint: string;
  readonly #connections: ConnectionPool;
  readonly #client: Got;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#endpoint = maskCredentials(options.remoteUrl);
    this.#connections = new ConnectionPool({ ...options, onClosed: options.onConnectionClosed });
    this.#client = got.extend({
      // Ours know the journal, the clock and the receiver's Retry-After.
      retry: { limit: 0 },
      throwHttpErrors: false,
      // A redirect would carry the token and the samples to somebody who was not configured.
      followRedirect: false,
      timeout: { request: options.remoteTimeoutMs },
      // Every header that got sends by itself would be paid for with every chunk.
      headers: { 'user-agent': undefined, 'accept-encoding': undefined, accept: undefined },
      decompress: false,
    });
  }

  /** What the protocol's next bodies are to be written in. */
  abstract get format(): BodyFormatName;

  /** How the protocol sends a chunk. */
  protected abstract envelopeOf(chunk: Chunk): Envelope;

  /** What the protocol makes of the answer to a chunk. */
  protected abstract outcomeOf(answer: ReceiverResponse, chunk: Chunk): SendOutcome;

  /** The answer to a request that carries no samples; rejects where none comes. */
  protected async ask(envelope: Envelope, signal: AbortSignal): Promise<ReceiverResponse> {
    return this.#answerOf(await this.#sendOverLivingConnection(envelope, signal, []));
  }

  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, onDate } = this.#options;
    const startedAt = clock.monotonic();
    const sentAtMs = clock.sinceBoot();
    const tries: Try[] = [];
    const measured = (): Pick<SendResult, 'endpoint' | 'durationMs' | 'connection' | 'bytesSent'> => ({
      endpoint: this.#endpoint,
      durationMs: this.#options.clock.monotonic() - startedAt,
      connection: tries.at(-1)?.connection,
      bytesSent: tries.reduce((sum, { bytesSent }) => sum + bytesSent(), 0),
    });
    try {
      const response = await this.#sendOverLivingConnection(this.envelopeOf(chunk), signal, tries);
      const receivedAtMs = clock.sinceBoot();
      const answer = this.#answerOf(response);
      const outcome = this.outcomeOf(answer, chunk);
      const isClosing = response.headers.connection?.toLowerCase() === 'close';
      const post = { ...measured(), outcome, status: answer.status, bytesReceived: response.body.length, isClosing };
      // Not of a portal's page, nor of a proxy that speaks for a receiver that is away.
      if (post.outcome.kind === 'delivered' || post.outcome.kind === 'partial')
        onDate?.({ date: response.headers.date, sentAtMs, receivedAtMs });
      if (post.connection !== undefined && RECEIVER_GONE.includes(response.statusCode)) {
        this.#options.onConnectionClosed(post.connection);
      }
      return post;
    } catch (error) {
      signal.throwIfAborted();
      return {
        ...measured(),
        outcome: outcomeOfError(error),
        errorCode: codeOf(error),
        bytesReceived: 0,
        isClosing: false,
      };
    }
  }

  /** The Date header of an address, asked for over a connection of its own: an upload may take its time. */
  async dateOf(url: string, signal: AbortSignal): Promise<string | undefined> {
    const own = new URL(url).origin === new URL(this.#options.remoteUrl).origin ? this.#proofs() : {};
    const response = await this.#client.head(url, {
      ...own,
      agent: this.#connections.single(url),
      signal,
      timeout: { request: SHORT_TIMEOUT_MS },
    });
    return response.headers.date;
  }

  async checkReceiver(signal: AbortSignal): Promise<number | undefined> {
    const url = new URL('/health', this.#options.remoteUrl);
    let connection: number | undefined;
    try {
      const request = this.#client.head(url, {
        ...this.#proofs(),
        agent: this.#connections.kept(url.href),
        signal,
        timeout: { request: SHORT_TIMEOUT_MS },
      });
      const use = (socket: Socket): void => void (connection = this.#connections.watch(socket));
      void request.on('request', (outgoing: ClientRequest) => outgoing.once('socket', use));
      const { statusCode } = await request;
      // A proxy that does not know the address speaks for what is behind it as well as one that does.
      return statusCode < 500 ? connection : undefined;
    } catch {
      // A token that cannot be read, or no answer: the next post tells.
      return undefined;
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#connections.close();
  }

  /** Sends a request; once more, at once, where the connection that was kept for it had ended meanwhile. */
  async #sendOverLivingConnection(envelope: Envelope, signal: AbortSignal, tries: Try[]): Promise<Response<Buffer>> {
    for (;;) {
      const now: Try = { bytesSent: () => 0, isOverKeptConnection: false };
      tries.push(now);
      try {
        return await this.#send(envelope, signal, now);
      } catch (error) {
        const hadEnded = now.isOverKeptConnection && CLOSED_MEANWHILE.includes(codeOf(error));
        if (!hadEnded || tries.length > 1 || signal.aborted) throw error;
      }
    }
  }

  async #send({ body, headers }: Envelope, signal: AbortSignal, seen: Try): Promise<Response<Buffer>> {
    const proofs = this.#proofs();
    const { controller, release } = controllerUnder(signal);
    let isTooMuch = false;
    const request = this.#client.post(this.#options.remoteUrl, {
      agent: this.#connections.kept(this.#options.remoteUrl),
      body,
      headers: { ...headers, ...proofs.headers },
      https: proofs.https,
      responseType: 'buffer',
      signal: controller.signal,
    });
    void request.on('request', (outgoing: ClientRequest) => this.#observe(outgoing, seen));
    void request.on('downloadProgress', ({ transferred }) => {
      isTooMuch = transferred > MAX_ANSWER_BYTES;
      if (isTooMuch) controller.abort();
    });
    try {
      return await request;
    } catch (error) {
      if (!isTooMuch) throw error;
      throw new AgentError(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`, { code: 'ANSWER_TOO_LONG' });
    } finally {
      release();
    }
  }

  #observe(outgoing: ClientRequest, seen: Try): void {
    outgoing.once('socket', (socket) => {
      const before = socket.bytesWritten;
      let isConnected = !socket.connecting;
      if (socket.connecting) socket.once('connect', () => (isConnected = true));
      seen.connection = this.#connections.watch(socket);
      seen.isOverKeptConnection = outgoing.reusedSocket;
      // What waits for a connection that never came about counts as written, and was not sent.
      seen.bytesSent = () => (isConnected ? socket.bytesWritten - before : 0);
    });
    outgoing.once('response', () => (seen.isOverKeptConnection = false));
  }

  #answerOf({ statusCode: status, headers, body }: Response<Buffer>): ReceiverResponse {
    return {
      status,
      body: this.#textOf(body),
      retryAfter: headers['retry-after'],
      date: headers.date,
      location: headers.location,
      samplesWritten: headers['x-prometheus-remote-write-samples-written']?.toString(),
    };
  }

  /** An answer's text, which may be logged: a proxy may repeat there the credentials that it refuses. */
  #textOf(body: Buffer): string {
    const { username, password } = new URL(this.#options.remoteUrl);
    const text = this.#options.credentials.mask(body.toString('utf8'));
    const proof = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
    return username === '' && password === '' ? text : text.replaceAll(proof, '***');
  }

  /** Read for every request: the files may be changed under a running uploader. */
  #proofs() {
    const { credentials, remoteUrl } = this.#options;
    const host = new URL(remoteUrl).hostname.replace(/^\[|\]$/g, '');
    // By the address that is configured: through a proxy, TLS itself does not know an address that is no name.
    const identity = {
      checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
    };
    return { headers: credentials.authorization(), https: { ...credentials.tls(), ...identity } };
  }
}

/** A file of ours that cannot be used holds everything until somebody changes it; anything else may pass by itself. */
function outcomeOfError(error: unknown): SendOutcome {
  const kind = codeOf(error) === 'FILE_UNUSABLE' ? 'hold' : 'retry';
  return { kind, reason: messageOf(error) };
}
