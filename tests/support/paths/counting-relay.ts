import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Hands bytes on as they come, ends and resets included, and counts them and the requests among them. */
export class CountingRelay {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ allowHalfOpen: true });
  /** Bytes to the receiver and back. */
  sent = 0;
  received = 0;
  /** Requests by method. */
  readonly requests: Record<string, number> = {};
  /** When each request without samples came, in milliseconds. */
  readonly pingsAtMs: number[] = [];

  static async start(targetPort: number): Promise<CountingRelay> {
    const relay = new CountingRelay();
    relay.#server.on('connection', (socket) => relay.#carry(socket, targetPort));
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #carry(socket: Socket, targetPort: number): void {
    const onward = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (part: Buffer) => {
        if (from === socket) this.#count(part);
        else this.received += part.length;
        to.write(part);
      });
      from.once('end', () => to.end());
      from.once('error', () => to.resetAndDestroy());
      from.once('close', () => this.#sockets.delete(from));
    }
  }

  #count(part: Buffer): void {
    this.sent += part.length;
    // The uploader sends a request only after the response to the last one, so that each begins a part.
    const method = /^([A-Z]+) \S+ HTTP\/1\.1\r\n/.exec(part.toString('latin1'))?.[1];
    if (method === undefined) return;
    this.requests[method] = (this.requests[method] ?? 0) + 1;
    if (method !== 'POST') this.pingsAtMs.push(Date.now());
  }
}
