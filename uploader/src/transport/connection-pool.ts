import { Agent as HttpAgent, type AgentOptions, type ClientRequest } from 'node:http';
import type { LookupFunction } from 'node:net';

import { proxyAuthorization } from '@thugshells/shared/config/url-credentials.ts';

import { lookupHost } from './host-lookup.ts';
import { TunnelAgent } from './tunnel-agent.ts';
import { VerifyingAgent, type IdentityCheck } from './verifying-agent.ts';

/** One agent for each scheme, as got expects them. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: VerifyingAgent;
}

export interface ConnectionPoolOptions {
  /** Returns the URL of the proxy for a URL; empty for none. */
  readonly proxyFor: (url: string) => string;
  /** Resolves a host for each new connection; the system's resolver by default. */
  readonly lookup?: LookupFunction | undefined;
}

/** Returns how the certificate of a connection that is opened now is checked; undefined for the check of TLS itself. */
type CreateIdentityCheck = (url: string) => (() => IdentityCheck) | undefined;

/**
 * By default Node.js tries the next address of a host after a quarter of a second; over a satellite or a slow modem a
 * connection takes longer.
 */
export const ADDRESS_TIMEOUT_MS = 5_000;
/** TCP's own probes of an idle connection begin after so long: by default they cost a metered link a packet each second. */
const KEEPALIVE_AFTER_MS = 5 * 60_000;
const CONNECTED: AgentOptions = { autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS };
/** Two connections, so that a health request need not wait for an upload in flight. */
const KEPT_ALIVE: AgentOptions = { ...CONNECTED, keepAlive: true, keepAliveMsecs: KEEPALIVE_AFTER_MS, maxSockets: 2 };

/** Node calls it for each request before the head is written; absent from the types, and unchanged since Node 0.12. */
declare module 'node:http' {
  interface Agent {
    addRequest(request: ClientRequest, options: Readonly<Record<string, unknown>>): void;
  }
}

/** Sends plain HTTP requests to a proxy, with the absolute URL as the target (RFC 9112, section 3.2.2). */
class ForwardProxyAgent extends HttpAgent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override addRequest(request: ClientRequest, options: Readonly<Record<string, unknown>>): void {
    const { hostname, port } = this.#proxy;
    request.path = `http://${String(request.getHeader('host'))}${request.path}`;
    for (const [name, value] of Object.entries(proxyAuthorization(this.#proxy))) request.setHeader(name, value);
    super.addRequest(request, { ...options, host: hostname, hostname, port: port || 80 });
  }
}

/** The connections to the receiver: kept alive, and through a proxy if there is one. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #createIdentityCheck: CreateIdentityCheck;
  readonly #kept = new Map<string, Agents>();

  constructor(options: ConnectionPoolOptions, createIdentityCheck: CreateIdentityCheck) {
    this.#options = options;
    this.#createIdentityCheck = createIdentityCheck;
  }

  /** Returns agents whose connections are kept for the next request, which is to the same origin. */
  keptAgents(url: string): Agents {
    const proxy = this.#options.proxyFor(url);
    const agents = this.#kept.get(proxy) ?? this.#createAgents(url, KEPT_ALIVE);
    this.#kept.set(proxy, agents);
    return agents;
  }

  /** Creates agents for one request over a connection of its own. */
  createAgents(url: string): Agents {
    return this.#createAgents(url, { ...CONNECTED, keepAlive: false });
  }

  /** Closes idle connections. */
  close(): void {
    for (const { http, https } of this.#kept.values()) {
      http.destroy();
      https.destroy();
    }
  }

  #createAgents(url: string, options: AgentOptions): Agents {
    const { lookup = lookupHost, proxyFor } = this.#options;
    const proxy = proxyFor(url);
    const createCheck = this.#createIdentityCheck(url);
    const all = { ...options, lookup };
    if (proxy === '') return { http: new HttpAgent(all), https: new VerifyingAgent(all, createCheck) };
    return {
      http: new ForwardProxyAgent(new URL(proxy), all),
      https: new TunnelAgent(new URL(proxy), all, createCheck),
    };
  }
}
