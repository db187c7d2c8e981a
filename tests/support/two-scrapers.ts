import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { AgentPair } from './agent-pair.ts';
import { startPrometheusAgent } from './other-scrapers.ts';
import { RemoteWriteReceiver } from './remote-write-receiver.ts';
import { until } from './until.ts';

/** A page of an exporter. */
export interface ExporterPage {
  readonly body: string;
  /** Prometheus' text format by default. */
  readonly contentType?: string;
}

/** The content type of OpenMetrics. */
export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** A sample as it was sent by remote write. */
export interface SentSample {
  readonly value: number;
  readonly timestampMs: number;
  /** The start timestamp; 0 if there is none. */
  readonly startMs: number;
}

/** The last sample of each series that a scraper has sent, by its metric and labels. */
export type LastSamples = ReadonlyMap<string, SentSample>;

const SCRAPERS = ['ours', 'theirs'] as const;
type Scraper = (typeof SCRAPERS)[number];

/** One exporter that the agent and Prometheus in agent mode scrape alike, each into a receiver of its own. */
export class TwoScrapers {
  readonly #releases: (() => unknown)[] = [];
  readonly #receivers = new Map<Scraper, RemoteWriteReceiver>();
  #page: ExporterPage = { body: '' };
  #asked = new Map<string, number>();

  /**
   * @param job fields of the job that both have
   * @param features of Prometheus, as `--enable-feature` names them
   */
  async start(job: Readonly<Record<string, unknown>> = {}, features: readonly string[] = []): Promise<void> {
    const host = await this.#listen();
    const [ours, theirs] = [await this.#startReceiver('ours'), await this.#startReceiver('theirs')];
    const configure = (scraper: Scraper): Record<string, unknown> => ({
      global: { scrape_interval: '1s', scrape_timeout: '900ms' },
      scrape_configs: [
        { job_name: 'node', metrics_path: `/${scraper}`, static_configs: [{ targets: [host] }], ...job },
      ],
    });
    const agent = new AgentPair({
      REMOTE_URL: ours,
      REMOTE_PROTOCOL: 'remote-write',
      DEVICE_ID: 'b1',
      COLLECTORS: 'scrape',
    });
    this.#releases.push(() => agent.remove());
    const file = join(agent.folder, 'scrape.yml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(configure('ours')));
    const { global, ...jobs } = configure('theirs');
    const peer = await startPrometheusAgent(
      {
        global: { ...(global as object), external_labels: { device_id: 'b1' } },
        ...jobs,
        remote_write: [{ url: theirs, protobuf_message: 'io.prometheus.write.v2.Request' }],
      },
      features.length === 0 ? [] : [`--enable-feature=${features.join()}`],
    );
    this.#releases.push(() => peer.stop());
    agent.start('collector', { THUGSHELLS_SCRAPE_CONFIG: file });
    agent.start('uploader');
  }

  /** Sets the page; returns what both have sent once they have had it three times: the third request shows that the second was read. */
  async serve(page: ExporterPage): Promise<Readonly<Record<Scraper, LastSamples>>> {
    this.#page = page;
    this.#asked = new Map();
    await until(
      'both have scraped',
      () => SCRAPERS.every((scraper) => (this.#asked.get(`/${scraper}`) ?? 0) >= 3),
      60_000,
    );
    const servedMs = Date.now();
    await until(
      'both have sent a later sample',
      () =>
        SCRAPERS.every((scraper) => [...this.#readLast(scraper)].some(([, { timestampMs }]) => timestampMs > servedMs)),
      60_000,
    );
    return { ours: this.#readLast('ours'), theirs: this.#readLast('theirs') };
  }

  async stop(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) await release();
  }

  async #listen(): Promise<string> {
    const server = createServer(({ url }, response) => {
      this.#asked.set(url!, (this.#asked.get(url!) ?? 0) + 1);
      const { body, contentType = 'text/plain; version=0.0.4' } = this.#page;
      response.writeHead(200, { 'content-type': contentType }).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#releases.push(() => server.close().closeAllConnections());
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async #startReceiver(scraper: Scraper): Promise<string> {
    const receiver = await RemoteWriteReceiver.start(() => ({ status: 204, written: 'all' }));
    this.#receivers.set(scraper, receiver);
    this.#releases.push(() => receiver.stop());
    return `${receiver.url}/api/v1/write`;
  }

  #readLast(scraper: Scraper): Map<string, SentSample> {
    const last = new Map<string, SentSample>();
    for (const { series } of this.#receivers.get(scraper)!.writes)
      for (const { labels, samples, starts } of series)
        for (const [index, [timestampMs, value]] of samples.entries()) {
          const text = toText(labels);
          if (timestampMs >= (last.get(text)?.timestampMs ?? 0))
            last.set(text, { value, timestampMs, startMs: starts[index]! });
        }
    return last;
  }
}

/** Returns `up{job="node"}`, without what is the same for every series. */
function toText(labels: readonly (readonly [name: string, value: string])[]): string {
  const own = labels.filter(([name]) => !['__name__', 'device_id', 'instance', 'job'].includes(name));
  const name = labels.find(([each]) => each === '__name__')?.[1] ?? '';
  return own.length === 0 ? name : `${name}{${own.map(([label, value]) => `${label}="${value}"`).join()}}`;
}
