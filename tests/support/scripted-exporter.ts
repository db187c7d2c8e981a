import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Script } from './scripted-pages.ts';

/** Who scrapes, by the User-Agent. */
export const SCRAPERS = ['agent', 'prometheus'] as const;
export type Scraper = (typeof SCRAPERS)[number];

const KEEP_ALIVE_MS = 60_000;

function findScraper({ headers }: IncomingMessage): Scraper {
  return (headers['user-agent'] ?? '').startsWith('Prometheus/') ? 'prometheus' : 'agent';
}

/**
 * An exporter that answers the scrapes of the agent and of Prometheus by a script: each gets the same response to its n-th scrape of a
 * path, at whatever time it comes. The first one is that after both have come to every path, so that the two are no further apart than
 * an interval; until then the status is 503. After `maxScrapes` of each the connection is closed without a response.
 */
export class ScriptedExporter {
  /** The scrapes that were answered by the script, by scraper and path. */
  readonly #turns: Map<string, number>;
  /** Scrapers and paths without a request so far. */
  readonly #awaited: Set<string>;
  readonly #scripts: Readonly<Record<string, Script>>;
  #server: Server | undefined;
  #port = 0;
  maxScrapes = Infinity;

  /** @param scripts by path */
  constructor(scripts: Readonly<Record<string, Script>>) {
    this.#scripts = scripts;
    const keys = Object.keys(scripts).flatMap((path) => SCRAPERS.map((scraper) => `${scraper} ${path}`));
    this.#turns = new Map(keys.map((key) => [key, 0]));
    this.#awaited = new Set(keys);
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens, on the port that it had before if there was one. */
  async start(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    // Its default, 5 s, is a scrape interval: a request could meet the end of its connection.
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Refuses connections from now on. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** Returns the least number of scrapes that a scraper has made of a path. */
  get scrapes(): number {
    return Math.min(...this.#turns.values());
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url!;
    const key = `${findScraper(request)} ${path}`;
    const hasBegun = this.#awaited.size === 0;
    this.#awaited.delete(key);
    if (!hasBegun) {
      response.writeHead(503).end();
      return;
    }
    const turn = this.#turns.get(key)!;
    if (turn >= this.maxScrapes) {
      response.destroy();
      return;
    }
    this.#turns.set(key, turn + 1);
    const scripted = this.#scripts[path]!(turn);
    switch (scripted.kind) {
      case 'page':
        response.writeHead(200, { 'content-type': scripted.contentType }).end(scripted.body);
        return;
      case 'status':
        response.writeHead(scripted.status).end();
        return;
      case 'cut':
        response.writeHead(200, { 'content-type': scripted.contentType, 'content-length': scripted.body.length * 2 });
        response.write(scripted.body, () => response.destroy());
        return;
      case 'silence':
        return;
    }
  }
}
