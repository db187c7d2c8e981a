import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';

import { got, type Got, type Response } from 'got';

import type { Clock } from '@thugshells/shared/clock.js';
import { maskCredentials } from '@thugshells/shared/config.js';
import { AgentError, codeOf, messageOf } from '@thugshells/shared/errors.js';

import { outcomeOf } from './answers.js';
import type { DatedAnswer } from './clock-skew.js';
import type { Chunk } from './encoder.js';
import type { Pinger, Post, Transport } from './transport.js';

export interface VictoriaMetricsOptions {
  readonly clock: Clock;
  readonly remoteUrl: string;
  readonly remoteTimeoutMs: number;
  /** File that holds the bearer token; empty for none. */
  readonly remoteTokenFile: string;
  /**
   * Told of each connection that ends, by either side, and of one over which a proxy says that the receiver is gone:
   * what it carried last is in doubt.
   */
  readonly onConnectionClosed: (connection: number) => void;
  /** Hears the Date of every answer of a receiver that took something. */
  readonly onDate?: (answer: DatedAnswer) => void;
}

/** A receiver's answer is empty or a few hundred bytes; a portal's page may be anything. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** A proxy's answers for a receiver that does not answer it; its own connection to us stays. */
const RECEIVER_GONE: readonly number[] = [502, 503, 504];

/** An answer without a body that took longer to come says little about now. */
const SHORT_TIMEOUT_MS = 10_000;

/** Posts chunks to VictoriaMetrics' /api/v1/import by got, one connection kept alive. */
export class VictoriaMetrics implements Transport, Pinger {
  readonly #options: VictoriaMetricsOptions;
  readonly #endpoint: string;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly #client: Got;
  readonly #connections = new WeakMap<Socket, number>();
  #lastConnection = 0;

  constructor(options: VictoriaMetricsOptions) {
    this.#options = options;
    this.#endpoint = maskCredentials(options.remoteUrl);
    // Two, so that a ping need not wait for a post that takes its time.
    const keepAlive = { keepAlive: true, maxSockets: 2 };
    this.#agents = { http: new HttpAgent(keepAlive), https: new HttpsAgent(keepAlive) };
    this.#client = got.extend({
      agent: this.#agents,
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

  async post(chunk: Chunk, signal: AbortSignal): Promise<Post> {
    const { clock, onDate } = this.#options;
    const startedAt = clock.monotonic();
    const sentAtMs = clock.sinceBoot();
    let socket: Socket | undefined;
    const measured = (): Pick<Post, 'endpoint' | 'durationMs' | 'connection'> => ({
      endpoint: this.#endpoint,
      durationMs: clock.monotonic() - startedAt,
      connection: socket && this.#connections.get(socket),
    });
    try {
      const response = await this.#send(chunk, signal, (used) => {
        socket = used;
        this.#watch(used);
      });
      const receivedAtMs = clock.sinceBoot();
      const post = { ...measured(), ...postOf(response, chunk) };
      // Not of a portal's page, nor of a proxy that speaks for a receiver that is away.
      if (post.outcome.kind === 'delivered' || post.outcome.kind === 'partial') onDate?.({ date: response.headers.date, sentAtMs, receivedAtMs });
      if (post.connection !== undefined && RECEIVER_GONE.includes(response.statusCode)) {
        this.#options.onConnectionClosed(post.connection);
      }
      return post;
    } catch (error) {
      signal.throwIfAborted();
      const outcome = { kind: 'retry', reason: messageOf(error) } as const;
      return { ...measured(), outcome, errorCode: codeOf(error), bytesSent: chunk.body.length, bytesReceived: 0, closing: false };
    }
  }

  /** The Date header of an address, asked for over a connection of its own: an upload may take its time. */
  async dateOf(url: string, signal: AbortSignal): Promise<string | undefined> {
    const headers = new URL(url).origin === new URL(this.#options.remoteUrl).origin ? this.#authorization() : {};
    const agent = { http: false, https: false } as const;
    const response = await this.#client.head(url, { agent, headers, signal, timeout: { request: SHORT_TIMEOUT_MS } });
    return response.headers.date;
  }

  async ping(signal: AbortSignal): Promise<number | undefined> {
    let socket: Socket | undefined;
    try {
      const request = this.#client.head(new URL('/health', this.#options.remoteUrl), { headers: this.#authorization(), signal, timeout: { request: SHORT_TIMEOUT_MS } });
      const use = (used: Socket): void => {
        socket = used;
        this.#watch(used);
      };
      void request.on('request', (outgoing: ClientRequest) => outgoing.once('socket', use));
      const { ok } = await request;
      return ok && socket !== undefined ? this.#connections.get(socket) : undefined;
    } catch {
      // A token that cannot be read, or no answer: the next post tells.
      return undefined;
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  async #send(chunk: Chunk, signal: AbortSignal, onSocket: (socket: Socket) => void): Promise<Response<Buffer>> {
    const tooMuch = new AbortController();
    const request = this.#client.post(this.#options.remoteUrl, {
      body: chunk.body,
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', ...this.#authorization() },
      responseType: 'buffer',
      signal: AbortSignal.any([signal, tooMuch.signal]),
    });
    void request.on('request', (outgoing: ClientRequest) => outgoing.once('socket', onSocket));
    void request.on('downloadProgress', ({ transferred }) => {
      if (transferred > MAX_ANSWER_BYTES) tooMuch.abort();
    });
    try {
      return await request;
    } catch (error) {
      if (!tooMuch.signal.aborted) throw error;
      throw new AgentError(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`, { code: 'ANSWER_TOO_LONG' });
    }
  }

  /** Gives each connection a number and tells when it ends. */
  #watch(socket: Socket): void {
    if (this.#connections.has(socket)) return;
    const connection = (this.#lastConnection += 1);
    this.#connections.set(socket, connection);
    socket.once('close', () => this.#options.onConnectionClosed(connection));
  }

  /** Read for every chunk: the token may be changed under a running uploader. */
  #authorization(): { authorization?: string } {
    const { remoteTokenFile } = this.#options;
    if (remoteTokenFile === '') return {};
    return { authorization: `Bearer ${readFileSync(remoteTokenFile, 'utf8').trim()}` };
  }
}

function postOf(response: Response<Buffer>, chunk: Chunk): Omit<Post, 'endpoint' | 'durationMs' | 'connection'> {
  const { statusCode: status, headers, body } = response;
  const answer = {
    status,
    body: body.toString('utf8'),
    retryAfter: headers['retry-after'],
    date: headers.date,
    location: headers.location,
  };
  return {
    outcome: outcomeOf(answer, chunk.count),
    status,
    bytesSent: chunk.body.length,
    bytesReceived: body.length,
    closing: headers.connection?.toLowerCase() === 'close',
  };
}
