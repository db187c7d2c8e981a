import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import { assetPaths, readAsset } from './page/assets.ts';
import { respondOneAtATime } from './paced-connection.ts';
import { hasBody, hasLocalHostHeader, isLoopback, limitConnections, serverLimits } from './server-limits.ts';
import type { HealthReport } from '../health/health-report.ts';
import type { HealthMonitor } from '../health/monitor.ts';
import type { MetricsExposition } from './metrics.ts';
import type { HistoryThread } from './page/history-thread.ts';
import { parseHistoryQuery, PLOTS_WITH_PARTS, RANGES_HOURS } from './page/plots.ts';
import { statusPage } from './page/status-page.ts';
import { NONCE_HEADER, proofHeaders } from './status-proof.ts';

export interface StatusServerOptions {
  readonly logger: Logger;
  readonly monitor: Pick<HealthMonitor, 'report' | 'unreadableReport' | 'status'>;
  /** Called with the first scrape: the exposition's library is not loaded until then. */
  readonly metrics: () => Promise<Pick<MetricsExposition, 'text' | 'contentType'>>;
  readonly history: Pick<HistoryThread, 'read' | 'readDevice'>;
  /** Proves to `status` that this is the server of its database's uploader. */
  readonly statusKey: string;
  /** Whether the upload loop makes progress. */
  readonly isLive: () => boolean;
}

/** One response. */
interface HttpPage {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** Only assets of this server load, and no other page frames it. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** The HTTP server of the uploader: health, metrics and the status page. */
export class StatusServer {
  readonly #options: StatusServerOptions;
  readonly #server: Server;
  readonly #pages: Readonly<Record<string, (request: IncomingMessage) => HttpPage | Promise<HttpPage>>>;
  #metrics: ReturnType<StatusServerOptions['metrics']> | undefined;
  /** Whether requests by another name than one of this machine's own are refused. */
  #refusesOtherNames = false;

  constructor(options: StatusServerOptions) {
    this.#options = options;
    this.#pages = {
      '/': async () => {
        const facts = await options.history.readDevice();
        return { status: 200, type: 'text/html; charset=utf-8', body: statusPage(options.monitor.status(), facts) };
      },
      '/health': () => this.#health((status) => (status === 'error' ? 503 : 200)),
      '/health/ready': () => this.#health((status) => (status === 'ok' ? 200 : 503)),
      '/health/live': () => this.#live(),
      '/metrics': async () => {
        const metrics = await (this.#metrics ??= options.metrics());
        return { status: 200, type: metrics.contentType, body: await metrics.text() };
      },
      '/status.json': ({ headers }) => this.#status(headers[NONCE_HEADER]),
      '/history.json': ({ url }) => this.#history(url ?? ''),
      ...Object.fromEntries(assetPaths.map((path) => [path, (): HttpPage => ({ status: 200, ...readAsset(path) })])),
    };
    this.#server = createServer(serverLimits);
    limitConnections(this.#server);
    respondOneAtATime(this.#server, (request, response) => void this.#respond(request, response));
  }

  /**
   * Listens; returns the port. Uploads do not depend on it, so the caller logs a failure and goes on.
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

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const page = await this.#pageFor(request);
    // The body of a request is not read.
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

  async #pageFor(request: IncomingMessage): Promise<HttpPage> {
    if (this.#refusesOtherNames && !hasLocalHostHeader(request))
      return plain(421, 'use an address of this machine, such as http://127.0.0.1');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...plain(405, 'only GET and HEAD are allowed'), headers: { allow: 'GET, HEAD' } };
    if (hasBody(request)) return plain(413, 'requests must not have a body');
    const path = (request.url ?? '/').split('?')[0]!;
    const page = Object.hasOwn(this.#pages, path) ? this.#pages[path] : undefined;
    if (page === undefined) return plain(404, `no such page; available: ${this.#documentedPaths().join(' ')}`);
    try {
      return await page(request);
    } catch (error) {
      this.#options.logger.error('cannot build page', { path, ...toErrorFields(error) });
      if (path.startsWith('/health')) return this.#report(this.#options.monitor.unreadableReport(), 503);
      return plain(503, 'cannot build this page; run: journalctl -u thugshells-uploader');
    }
  }

  #documentedPaths(): string[] {
    return Object.keys(this.#pages).filter((path) => !path.startsWith('/assets/'));
  }

  #health(statusCode: (status: string) => number): HttpPage {
    const report = this.#options.monitor.report();
    return this.#report(report, statusCode(report.status));
  }

  #report(report: HealthReport, status: number): HttpPage {
    return { status, type: JSON_TYPE, body: `${JSON.stringify(report, null, 2)}\n` };
  }

  #status(nonce: unknown): HttpPage {
    const { monitor, statusKey } = this.#options;
    const body = `${JSON.stringify(monitor.status(), null, 2)}\n`;
    return { status: 200, type: JSON_TYPE, body, headers: proofHeaders(statusKey, nonce, body) };
  }

  async #history(url: string): Promise<HttpPage> {
    const query = parseHistoryQuery(url);
    const [hours, parts] = [RANGES_HOURS.join(', '), PLOTS_WITH_PARTS.join(', ')];
    if (query === undefined) return plain(400, `hours is one of ${hours}; parts is a list of ${parts}`);
    return { status: 200, type: JSON_TYPE, body: await this.#options.history.read(query) };
  }

  #live(): HttpPage {
    const live = this.#options.isLive();
    return { status: live ? 200 : 503, type: JSON_TYPE, body: `${JSON.stringify({ live })}\n` };
  }
}

function plain(status: number, text: string): HttpPage {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}
