import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import { assetPaths, readAsset } from './page/assets.ts';
import { hasBody, isAskedByOwnName, isLoopback, limitConnections, serverLimits } from './server-limits.ts';
import type { HealthMonitor } from '../health/monitor.ts';
import type { Metrics } from './metrics.ts';
import { statusPage } from './page/status-page.ts';

export interface SidecarOptions {
  readonly logger: Logger;
  readonly monitor: Pick<HealthMonitor, 'report' | 'status'>;
  /** Called for the first scrape: what makes the exposition is not loaded where nobody scrapes. */
  readonly metrics: () => Promise<Pick<Metrics, 'text' | 'contentType'>>;
  readonly history: { read(): Promise<string> };
  /** Whether the uploads make progress. */
  readonly isLive: () => boolean;
}

/** One answer. */
interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** Nothing but what comes with the program runs or shows on the page, and nobody frames it. uPlot places its parts by style. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** The small HTTP server beside the uploads: health, metrics and the status page. */
export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #server: Server;
  readonly #pages: Readonly<Record<string, () => Page | Promise<Page>>>;
  #metrics: ReturnType<SidecarOptions['metrics']> | undefined;
  /** Asked by another name than this machine's own, nothing is told. */
  #refusesOtherNames = false;

  constructor(options: SidecarOptions) {
    this.#options = options;
    const json = (body: unknown): Page => ({
      status: 200,
      type: JSON_TYPE,
      body: `${JSON.stringify(body, null, 2)}\n`,
    });
    this.#pages = {
      '/': () => ({ status: 200, type: 'text/html; charset=utf-8', body: statusPage(options.monitor.status()) }),
      '/health': () => this.#health((status) => (status === 'error' ? 503 : 200)),
      '/health/ready': () => this.#health((status) => (status === 'ok' ? 200 : 503)),
      '/health/live': () => this.#live(),
      '/metrics': async () => {
        const metrics = await (this.#metrics ??= options.metrics());
        return { status: 200, type: metrics.contentType, body: await metrics.text() };
      },
      '/status.json': () => json(options.monitor.status()),
      '/history.json': async () => ({ status: 200, type: JSON_TYPE, body: await options.history.read() }),
      ...Object.fromEntries(assetPaths.map((path) => [path, (): Page => ({ status: 200, ...readAsset(path) })])),
    };
    this.#server = createServer(serverLimits, (request, response) => void this.#answer(request, response));
    limitConnections(this.#server);
  }

  /**
   * Listens; returns the port. Uploads do not depend on it, so a port that is taken is the caller's to log.
   *
   * @throws Error with code EADDRINUSE, EACCES or EADDRNOTAVAIL
   */
  async listen(host: string, port: number): Promise<number> {
    this.#refusesOtherNames = isLoopback(host);
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
    // What a client sends as a body is not waited for.
    const connection = hasBody(request) ? { connection: 'close' } : {};
    const headers = {
      'content-type': page.type,
      'content-length': Buffer.byteLength(page.body),
      'cache-control': 'no-store',
    };
    response.writeHead(page.status, { ...headers, ...SECURITY_HEADERS, ...page.headers, ...connection });
    response.end(request.method === 'HEAD' ? undefined : page.body);
    if (hasBody(request)) response.once('finish', () => request.socket.destroySoon());
  }

  async #pageFor(request: IncomingMessage): Promise<Page> {
    if (this.#refusesOtherNames && !isAskedByOwnName(request))
      return plain(421, 'ask by an address of this machine, such as http://127.0.0.1');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...plain(405, 'only GET and HEAD'), headers: { allow: 'GET, HEAD' } };
    if (hasBody(request)) return plain(413, 'nothing here takes a body');
    const path = (request.url ?? '/').split('?')[0]!;
    const page = Object.hasOwn(this.#pages, path) ? this.#pages[path] : undefined;
    if (page === undefined)
      return plain(
        404,
        `no such page; there are ${Object.keys(this.#pages)
          .filter((known) => !known.startsWith('/assets/'))
          .join(' ')}`,
      );
    try {
      return await page();
    } catch (error) {
      this.#options.logger.error('a page could not be made', { path, ...toErrorFields(error) });
      return plain(503, 'this could not be made; the reason is in the log');
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

function plain(status: number, text: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}
