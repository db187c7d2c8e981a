import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { answerUnder, send, type Answer } from './answer.ts';
import { FaultPlan, type Fault } from './faults.ts';
import { importBody, type ImportResult } from './import-endpoint.ts';
import type { Row } from './import-lines.ts';
import { parseFaults } from './parse-faults.ts';
import { json, readEndpoint } from './read-endpoints.ts';
import { readBody } from './request-body.ts';
import { RequestLog, type LoggedRequest } from './request-log.ts';
import { SampleStore, type StoreCounts } from './store.ts';

/** How a receiver is started. */
export interface ReceiverOptions {
  /** 0, the default, lets the kernel choose. */
  readonly port?: number;
  readonly host?: string;
  /** The clock of the Date header and of the retention, Unix milliseconds. */
  readonly now?: () => number;
  /** Older samples are acknowledged and lost. Ten years by default, so that seconds taken for milliseconds are. */
  readonly retentionMs?: number;
}

const TEN_YEARS_MS = 10 * 365 * 86_400_000;

/** Starts a VictoriaMetrics-compatible receiver that keeps everything in memory and fails as it is told to. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = new Receiver(options);
  await receiver.resume();
  return receiver;
}

/** A running receiver; startReceiver() makes one. */
export class Receiver {
  readonly #store: SampleStore;
  readonly #faults = new FaultPlan();
  readonly #log = new RequestLog();
  readonly #sockets = new Map<Socket, number>();
  readonly #host: string;
  readonly #now: () => number;
  #port: number;
  #server: Server | undefined;
  #ending = new AbortController();
  #connections = 0;
  #invalidLines = 0;

  constructor(options: ReceiverOptions) {
    this.#port = options.port ?? 0;
    this.#host = options.host ?? '127.0.0.1';
    this.#now = options.now ?? Date.now;
    this.#store = new SampleStore(options.retentionMs ?? TEN_YEARS_MS);
  }

  /** Its origin, without a path. */
  get url(): string {
    return `http://${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`;
  }

  /** The port it listens on, the same after a pause. */
  get port(): number {
    return this.#port;
  }

  /** The last requests, oldest first; those that only control the receiver are left out. */
  get requests(): readonly LoggedRequest[] {
    return this.#log.requests;
  }

  /** Replaces the faults. The first of them that applies to an import strikes. Throws TypeError for an unsound one. */
  setFaults(faults: Fault | readonly Fault[]): void {
    this.#faults.set(parseFaults(faults));
  }

  /** Back to storing everything and answering 204. */
  clearFaults(): void {
    this.#faults.set([]);
  }

  /** Every stored row, duplicates included. */
  rows(): Row[] {
    return this.#store.rows();
  }

  /** Stored rows whose series and time had been stored before. */
  duplicates(): number {
    return this.#store.counts().duplicates;
  }

  /** What became of all samples so far, and how many lines were dropped. */
  counts(): StoreCounts & { readonly invalidLines: number } {
    return { ...this.#store.counts(), invalidLines: this.#invalidLines };
  }

  /** Destroys every open connection, as a link does that goes down for a moment. */
  dropConnections(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /** Stops listening and drops every connection; what is stored stays. */
  async pause(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#ending.abort();
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.dropConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  async resume(): Promise<void> {
    if (this.#server !== undefined) return;
    // Keep-alive without a limit: a connection ends when a test says so, never because a test is slow.
    const server = createServer({ keepAliveTimeout: 0 }, (request, response) => void this.#serve(request, response));
    server.on('connection', (socket) => {
      this.#sockets.set(socket, (this.#connections += 1));
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#ending = new AbortController();
    this.#server = server;
  }

  /** Ends it: no connection, delay or listener is left. */
  async stop(): Promise<void> {
    await this.pause();
  }

  /** Answers one request. A client that goes away, or a receiver that ends meanwhile, needs no answer any more. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', this.url);
      if (url.pathname === '/faults' || url.pathname === '/requests') await this.#control(url, request, response);
      else await this.#answer(url, request, response);
    } catch (error) {
      const needsAnswer = response.socket?.destroyed === false && !response.headersSent && !this.#ending.signal.aborted;
      if (needsAnswer) response.writeHead(500).end(String(error));
      else response.destroy();
    }
  }

  async #answer(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const logged = this.#log.add({
      method: request.method ?? '',
      path: url.pathname + url.search,
      headers: request.headers,
      connection: this.#sockets.get(request.socket) ?? 0,
      atMs: this.#now(),
    });
    // Taken before the fault is used up, read again when the answer leaves.
    const skewMs = this.#faults.dateSkewMs();
    response.once('finish', () => (logged.status = response.statusCode));
    const { answer, fault } = await this.#outcome(url, request, logged);
    const dateMs = (): number => this.#now() + skewMs;
    await send(response, answerUnder(fault, answer), { fault, dateMs, signal: this.#ending.signal });
  }

  async #outcome(url: URL, request: IncomingMessage, logged: LoggedRequest): Promise<ImportResult> {
    if (url.pathname === '/api/v1/import' && request.method === 'POST') return this.#import(request, logged);
    if (url.pathname === '/health') {
      const answer = { status: 200, body: 'OK', headers: { 'Content-Type': 'text/plain; charset=utf-8' } };
      return { answer, fault: this.#faults.forHealth() };
    }
    const state = { store: this.#store, invalidLines: this.#invalidLines };
    const unknown = { status: 400, body: `unsupported path requested: "${url.pathname}"` };
    return { answer: readEndpoint(url, state) ?? unknown, fault: undefined };
  }

  async #import(request: IncomingMessage, logged: LoggedRequest): Promise<ImportResult> {
    const cut = this.#faults.takeCut();
    if (cut !== undefined) return { answer: { status: 204 }, fault: cut };
    return importBody(await readBody(request), logged, {
      store: this.#store,
      faults: this.#faults,
      nowMs: this.#now(),
      onInvalidLines: (count) => (this.#invalidLines += count),
    });
  }

  async #control(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#controlAnswer(url, request);
    await send(response, answer, { fault: undefined, dateMs: this.#now, signal: this.#ending.signal });
  }

  async #controlAnswer(url: URL, request: IncomingMessage): Promise<Answer> {
    if (url.pathname === '/requests') return json(this.requests);
    if (request.method === 'DELETE') this.clearFaults();
    if (request.method === 'POST') {
      try {
        this.setFaults(JSON.parse((await readBody(request)).text) as Fault);
      } catch (error) {
        return { status: 400, body: (error as Error).message };
      }
    }
    return json(this.#faults.list());
  }
}
