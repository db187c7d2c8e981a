import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { until } from './until.ts';

/** The content types of Prometheus' text format and of OpenMetrics. */
const TEXT = 'text/plain; version=0.0.4';
export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** An exporter whose pages a test changes; undefined is an error. It counts who has had the present one. */
export class ChangingExporter {
  #page: string | undefined;
  #contentType = TEXT;
  #asked = new Map<string, number>();
  readonly #server = createServer(({ url }, response) => {
    this.#asked.set(url!, (this.#asked.get(url!) ?? 0) + 1);
    if (this.#page === undefined) response.writeHead(500).end();
    else response.writeHead(200, { 'content-type': this.#contentType }).end(this.#page);
  });

  /** Returns its host and port. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Waits until both scrapers have had a page three times: the third request shows that the second was read. */
  async serve(page: string | undefined, contentType = TEXT): Promise<void> {
    this.#page = page;
    this.#contentType = contentType;
    this.#asked = new Map();
    await until(
      'both have scraped',
      () => ['/ours', '/theirs'].every((path) => (this.#asked.get(path) ?? 0) >= 3),
      60_000,
    );
  }

  close(): void {
    this.#server.close().closeAllConnections();
  }
}
