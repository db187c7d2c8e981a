import { createServer, type AddressInfo, type Socket } from 'node:net';
import { TLSSocket, type SecureContextOptions } from 'node:tls';

/** What a receiver says to samples that it has taken. */
const ACCEPTED = 'HTTP/1.1 204 No Content\r\nX-Server-Hostname: receiver\r\n\r\n';

export interface HostileProxyOptions {
  /** The response to CONNECT; a function sends it by itself. */
  readonly response: string | ((socket: Socket) => void);
  /** Whether it then speaks TLS, with a certificate of its own. */
  readonly tls?: SecureContextOptions;
}

/** A proxy that opens no tunnel, and says 204 to everything that follows, as a receiver would. */
export class HostileProxy {
  readonly #server = createServer();
  readonly #sockets = new Set<Socket>();
  /** What clients sent after CONNECT, as far as it could be read. */
  readonly received: string[] = [];
  connects = 0;

  /** Listens; returns its URL. */
  async listen({ response, tls }: HostileProxyOptions): Promise<string> {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => {
        this.connects += 1;
        if (typeof response === 'string') socket.write(response);
        else response(socket);
        const inner = tls === undefined ? socket : new TLSSocket(socket, { isServer: true, ...tls });
        inner.on('error', () => undefined);
        inner.on('data', (part: Buffer) => {
          this.received.push(part.toString('latin1'));
          inner.write(ACCEPTED);
        });
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
