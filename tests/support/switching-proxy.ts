import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request of remote write that was answered, as its headers and the answer's have it. */
export interface ForwardedWrite {
  readonly version: string | undefined;
  readonly status: number | undefined;
  readonly written: string | undefined;
}

/** A response with which a portal answers every request in the receiver's place. */
export interface PortalAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An address behind which the receiver can be replaced by another, as an upgrade does; without one, connections break. */
export class SwitchingProxy {
  readonly writes: ForwardedWrite[] = [];
  /** Requests that met no receiver. */
  refused = 0;
  /** Undefined while requests are forwarded. */
  answer: PortalAnswer | undefined;
  #target: string | undefined;
  readonly #server: Server;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => {
      if (this.answer !== undefined) {
        const { status, headers, body } = this.answer;
        incoming.resume();
        outgoing.writeHead(status, headers).end(body);
        return;
      }
      if (this.#target === undefined) {
        this.refused += 1;
        incoming.socket.destroy();
        return;
      }
      const { method, url, headers } = incoming;
      const forwarded = request(`${this.#target}${url}`, { method, headers, agent: false }, (answer) => {
        const written = answer.headers['x-prometheus-remote-write-samples-written'] as string | undefined;
        const version = headers['x-prometheus-remote-write-version'] as string | undefined;
        if (method === 'POST') this.writes.push({ version, status: answer.statusCode, written });
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.once('error', () => incoming.socket.destroy());
      incoming.pipe(forwarded);
    });
  }

  static async start(target: string): Promise<SwitchingProxy> {
    const proxy = new SwitchingProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection, and forwards what comes from now on to another receiver, or to none. */
  switchTo(target: string | undefined): void {
    this.#target = target;
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
