import { Agent as HttpAgent, type AgentOptions, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';

import { HttpsProxyAgent } from 'https-proxy-agent';

/** One agent for each protocol, as got asks for them. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

export interface ConnectionPoolOptions {
  /** The proxy on the way to an address; empty for none. */
  readonly proxyFor: (url: string) => string;
  /** Told of each connection that ends, by either side. */
  readonly onClosed: (connection: number) => void;
  /** How a host's address is found, for each connection anew. The system's way by default. */
  readonly lookup?: LookupFunction | undefined;
}

/** Two, so that a ping need not wait for a post that takes its time. */
const KEPT_ALIVE: AgentOptions = { keepAlive: true, maxSockets: 2 };

/** The connections to the receiver: kept alive, numbered, and through a proxy where there is one. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #numbers = new WeakMap<Socket, number>();
  readonly #kept = new Map<string, Agents>();
  #last = 0;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** Agents whose connections are kept for the next request. */
  kept(url: string): Agents {
    const proxy = this.#options.proxyFor(url);
    const agents = this.#kept.get(proxy) ?? this.#agents(proxy, KEPT_ALIVE);
    this.#kept.set(proxy, agents);
    return agents;
  }

  /** Agents for one request over a connection of its own. */
  single(url: string): Agents {
    return this.#agents(this.#options.proxyFor(url), { keepAlive: false });
  }

  /** Gives a connection its number and tells when it ends. */
  watch(socket: Socket): number {
    const known = this.#numbers.get(socket);
    if (known !== undefined) return known;
    const connection = (this.#last += 1);
    this.#numbers.set(socket, connection);
    socket.once('close', () => this.#options.onClosed(connection));
    return connection;
  }

  /** Closes idle connections. */
  close(): void {
    for (const { http, https } of this.#kept.values()) {
      http.destroy();
      https.destroy();
    }
  }

  #agents(proxy: string, options: AgentOptions): Agents {
    const { lookup } = this.#options;
    const all = lookup === undefined ? options : { ...options, lookup };
    if (proxy === '') return { http: new HttpAgent(all), https: new HttpsAgent(all) };
    return { http: new ForwardProxyAgent(new URL(proxy), all), https: new HttpsProxyAgent(proxy, all) };
  }
}

/** What Node calls for each request before its head is written; not in the types, and unchanged since Node 0.12. */
declare module 'node:http' {
  interface Agent {
    addRequest(request: ClientRequest, options: Readonly<Record<string, unknown>>): void;
  }
}

/** Asks a proxy for plain addresses, which is told the whole address (RFC 9112, section 3.2.2). */
class ForwardProxyAgent extends HttpAgent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override addRequest(request: ClientRequest, options: Readonly<Record<string, unknown>>): void {
    const { hostname, port, username, password } = this.#proxy;
    request.path = `http://${String(request.getHeader('host'))}${request.path}`;
    if (username !== '' || password !== '') {
      const proof = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
      request.setHeader('proxy-authorization', `Basic ${proof}`);
    }
    super.addRequest(request, { ...options, host: hostname, hostname, port: port || 80 });
  }
}
