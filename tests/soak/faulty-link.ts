import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** What is wrong with a link. */
export type LinkFault =
  | { readonly kind: 'delays'; readonly ms: number }
  /** Ends each connection after so many bytes of a request. */
  | { readonly kind: 'cuts'; readonly afterBytes: number }
  | { readonly kind: 'throttles'; readonly bytesPerSecond: number }
  /** The receiver gets the request; its answer, and the connection, are lost. */
  | { readonly kind: 'eats answers' }
  /** Something on the way answers by itself. */
  | { readonly kind: 'answers'; readonly status: number; readonly retryAfter: string | undefined }
  | { readonly kind: 'is down' };

/** Short enough that a throttled link does not come in bursts of seconds. */
const THROTTLE_TICK_MS = 100;

/**
 * A link between uploader and receiver that can be given a fault. It works on connections, not requests: each of ours
 * is one of the receiver's, and the end of either ends the other at once, as it does without anything between.
 */
export class FaultyLink {
  readonly #server: Server;
  readonly #answering: HttpServer;
  readonly #sockets = new Set<Socket>();
  readonly #receiverPort: () => number;
  #fault: LinkFault | undefined;
  /** Bytes that the uploader has sent over it. */
  bytesSent = 0;

  private constructor(receiverPort: () => number) {
    this.#receiverPort = receiverPort;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#answering = createHttpServer((request, response) => {
      const fault = this.#fault?.kind === 'answers' ? this.#fault : { status: 503, retryAfter: undefined };
      request.resume().once('end', () => {
        response.writeHead(fault.status, fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter });
        response.end('made up on the way\n');
      });
      request.once('error', () => response.destroy());
    });
  }

  /** Listens on a port that the kernel chooses. */
  static async open(receiverPort: () => number): Promise<FaultyLink> {
    const link = new FaultyLink(receiverPort);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Gives it a fault, or none. What answers by itself, or is down, ends what goes on. */
  setFault(fault: LinkFault | undefined): void {
    const before = this.#fault?.kind;
    this.#fault = fault;
    const isOtherEnd = (kind: string | undefined): boolean => kind === 'answers' || kind === 'is down';
    if (isOtherEnd(before) || isOtherEnd(fault?.kind)) this.#endAll();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#endAll();
    await once(this.#server, 'close');
  }

  #endAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client: Socket): void {
    if (this.#fault?.kind === 'is down') return void client.destroy();
    this.#keep(client);
    client.on('data', (data: Buffer) => (this.bytesSent += data.length));
    if (this.#fault?.kind === 'answers') return void this.#answering.emit('connection', client);
    const receiver = connect(this.#receiverPort(), '127.0.0.1');
    this.#keep(receiver);
    for (const [one, other] of [
      [client, receiver],
      [receiver, client],
    ] as const)
      one.once('close', () => other.destroy());
    void this.#carry(client, receiver, 'request').catch(() => client.destroy());
    void this.#carry(receiver, client, 'answer').catch(() => receiver.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async #carry(from: Readable, to: Writable, what: 'request' | 'answer'): Promise<void> {
    for await (const data of from as AsyncIterable<Buffer>) {
      const fault = this.#fault;
      if (fault?.kind === 'eats answers' && what === 'answer') return void from.destroy();
      if (fault?.kind === 'delays') await pause(fault.ms / 2);
      if (fault?.kind === 'cuts' && what === 'request') {
        to.write(data.subarray(0, fault.afterBytes));
        return void from.destroy();
      }
      if (fault?.kind === 'throttles') await this.#throttled(data, to, fault.bytesPerSecond);
      else if (!to.write(data)) await once(to, 'drain');
    }
    to.end();
  }

  async #throttled(data: Buffer, to: Writable, bytesPerSecond: number): Promise<void> {
    const piece = Math.max(1, Math.round((bytesPerSecond * THROTTLE_TICK_MS) / 1000));
    for (let from = 0; from < data.length; from += piece) {
      // A fault that has ended holds nothing back.
      if (this.#fault?.kind === 'throttles') await pause(THROTTLE_TICK_MS);
      to.write(data.subarray(from, from + piece));
    }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
