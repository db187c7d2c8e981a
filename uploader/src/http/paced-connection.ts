import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * One response per connection is outstanding, and what a client sends meanwhile is not parsed.
 *
 * Node parses all that a read has brought, thousands of small requests in 64 KiB, and keeps request and response of each
 * until those before are sent: 16 clients that pipeline and never read would take all memory of the unit. So the
 * parser gets a hundred bytes at a time, and none while a response is outstanding. A client that sends another
 * request before it has the response gets that response, and its connection is closed, which RFC 9112, section 9.3.2
 * leaves to a server.
 */

/** Bytes that are parsed at once: a few of the smallest requests, and a fifth of a browser’s. */
const SLICE_BYTES = 128;

/** A connection as the HTTP server sees it: its bytes come in slices, and not while it is held. */
class PacedConnection extends Duplex {
  readonly #socket: Socket;
  /** The response that is outstanding. */
  #response: ServerResponse | undefined;
  /** Whether another request has come before that response was sent. */
  #isAhead = false;
  #isWanted = false;

  constructor(socket: Socket) {
    super({ readableHighWaterMark: SLICE_BYTES, writableHighWaterMark: socket.writableHighWaterMark });
    this.#socket = socket;
    socket.on('readable', () => this.#forward());
    socket.once('end', () => this.push(null));
    socket.on('timeout', () => this.emit('timeout'));
    socket.once('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
  }

  /** Holds the connection until the response of a request is sent; returns false if another one is outstanding. */
  admit(response: ServerResponse): boolean {
    if (this.#response !== undefined) {
      this.#isAhead = true;
      if (!this.#response.headersSent) this.#response.setHeader('connection', 'close');
      return false;
    }
    this.#response = response;
    response.once('finish', () => {
      this.#response = undefined;
      if (this.#isAhead || this.readableLength + this.#socket.readableLength > 0) this.destroySoon();
      else this.#forward();
    });
    return true;
  }

  /** Like a socket’s; the HTTP server calls it. */
  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms);
    return this;
  }

  /** Like a socket’s; the HTTP server calls it. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }

  override _read(): void {
    this.#isWanted = true;
    this.#forward();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #forward(): void {
    while (this.#isWanted && this.#response === undefined && !this.writableEnded) {
      const slice = this.#socket.read(Math.min(this.#socket.readableLength, SLICE_BYTES)) as Buffer | null;
      if (slice === null) return;
      this.#isWanted = this.push(slice);
    }
  }
}

/** Calls `respond` for the requests of a server, one at a time per connection. */
export function respondOneAtATime(
  server: Server,
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  const [serve] = server.listeners('connection') as [(connection: Duplex) => void];
  server.off('connection', serve);
  server.on('connection', (socket: Socket) => serve.call(server, new PacedConnection(socket)));
  const admit = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = request.socket as Duplex as PacedConnection;
    if (connection.admit(response)) respond(request, response);
  };
  // By default Node responds to the last two by itself. No body is read, so nothing is to continue.
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) server.on(event, admit);
}
