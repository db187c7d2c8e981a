import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { AgentPair } from './agent-pair.ts';
import { ChangingExporter } from './changing-exporter.ts';
import { startPrometheusAgent } from './other-scrapers.ts';
import { RemoteWriteReceiver } from './remote-write-receiver.ts';
import { until } from './until.ts';

/** A page of an exporter. */
export interface ExporterPage {
  readonly body: string;
  /** Prometheus' text format by default. */
  readonly contentType?: string;
}

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
  readonly #exporter = new ChangingExporter();

  /**
   * @param job fields of the job that both have
   * @param features of Prometheus, as `--enable-feature` names them
   */
  async start(job: Readonly<Record<string, unknown>> = {}, features: readonly string[] = []): Promise<void> {
    const host = await this.#exporter.listen();
    this.#releases.push(() => this.#exporter.close());
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

  /** Sets the page; returns what both have sent once they have read it. */
  async serve({ body, contentType }: ExporterPage): Promise<Readonly<Record<Scraper, LastSamples>>> {
    await this.#exporter.serve(body, contentType);
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
