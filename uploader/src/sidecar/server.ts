import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { errorFields, type Logger } from '@thugshells/shared/logger.js';

import type { HealthMonitor } from './health-monitor.js';
import type { Metrics } from './metrics.js';
import { statusPage } from './status-page.js';

export interface SidecarOptions {
  readonly logger: Logger;
  readonly monitor: HealthMonitor;
  readonly metrics: Metrics;
  /** Whether the uploads make progress. */
  readonly isLive: () => boolean;
}

/** One answer. */
interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** For 405, RFC 9110 section 15.5.6. */
  readonly allow?: string;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** Nobody on loopback needs longer to send a GET. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_CONNECTIONS = 64;

/** The small HTTP server beside the uploads: health, metrics and the status page. */
export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #server: Server;
  readonly #pages: Readonly<Record<string, () => Page | Promise<Page>>>;

  constructor(options: SidecarOptions) {
    this.#options = options;
    this.#pages = {
      '/': () => ({ status: 200, type: 'text/html; charset=utf-8', body: statusPage(options.monitor.report()) }),
      '/health': () => this.#health((status) => (status === 'error' ? 503 : 200)),
      '/health/ready': () => this.#health((status) => (status === 'ok' ? 200 : 503)),
      '/health/live': () => this.#live(),
      '/metrics': async () => ({ status: 200, type: options.metrics.contentType, body: await options.metrics.text() }),
    };
    this.#server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.headersTimeout = REQUEST_TIMEOUT_MS;
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Listens; returns the port. Uploads do not depend on it, so a port that is taken is the caller's to log.
   *
   * @throws Error with code EADDRINUSE, EACCES or EADDRNOTAVAIL
   */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const page = await this.#pageFor(request);
    const allow = page.allow === undefined ? {} : { allow: page.allow };
    response.writeHead(page.status, { 'content-type': page.type, 'cache-control': 'no-store', ...allow });
    response.end(request.method === 'HEAD' ? undefined : page.body);
  }

  async #pageFor(request: IncomingMessage): Promise<Page> {
    const path = (request.url ?? '/').split('?')[0]!;
    const page = Object.hasOwn(this.#pages, path) ? this.#pages[path] : undefined;
    if (page === undefined) return plain(404, `no such page; there are ${Object.keys(this.#pages).join(' ')}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') return { ...plain(405, 'only GET and HEAD'), allow: 'GET, HEAD' };
    try {
      return await page();
    } catch (error) {
      this.#options.logger.error('a page could not be made', { path, ...errorFields(error) });
      return plain(503, 'the report could not be made; the reason is in the log');
    }
  }

  #health(statusCode: (status: string) => number): Page {
    const report = this.#options.monitor.report();
    return { status: statusCode(report.status), type: JSON_TYPE, body: `${JSON.stringify(report, null, 2)}\n` };
  }

  #live(): Page {
    const live = this.#options.isLive();
    return { status: live ? 200 : 503, type: JSON_TYPE, body: `${JSON.stringify({ live })}\n` };
  }
}

/** Listens, and says where; a port that is taken costs the page, not the uploads. */
export async function listenOrTell(sidecar: Sidecar, logger: Logger, host: string, port: number): Promise<void> {
  try {
    logger.info('health endpoint is listening', { endpoint: `http://${host}:${await sidecar.listen(host, port)}/` });
  } catch (error) {
    logger.error('health endpoint cannot listen; uploads go on without it', {
      endpoint: `http://${host}:${port}/`,
      hint: 'set THUGSHELLS_HEALTH_PORT to a port that is free',
      ...errorFields(error),
    });
  }
}

function plain(status: number, text: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}
