import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A response with which a portal answers every request. */
export interface PortalAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What stands between a device and its receiver: forwards requests, or answers each of them itself. */
export class Portal {
  /** Undefined while requests are forwarded. */
  answer: PortalAnswer | undefined;
  readonly #server: Server;

  private constructor(target: string) {
    this.#server = createServer((incoming, outgoing) => {
      if (this.answer !== undefined) {
        const { status, headers, body } = this.answer;
        incoming.resume();
        outgoing.writeHead(status, headers).end(body);
        return;
      }
      const { method, url, headers } = incoming;
      const forwarded = request(`${target}${url}`, { method, headers, agent: false }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.once('error', () => incoming.socket.destroy());
      incoming.pipe(forwarded);
    });
  }

  static async start(target: string): Promise<Portal> {
    const portal = new Portal(target);
    portal.#server.listen(0, '127.0.0.1');
    await once(portal.#server, 'listening');
    return portal;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
