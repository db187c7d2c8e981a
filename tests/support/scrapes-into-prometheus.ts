import { AgentPair } from './agent-pair.ts';
import type { AgentProcess } from './agent-process.ts';
import { ChangingExporter } from './changing-exporter.ts';
import { startPrometheusAgent } from './other-scrapers.ts';
import { Prometheus } from './prometheus.ts';

/** One exporter through the agent and through the real Prometheus in agent mode, each into a real Prometheus of its own. */
export class ScrapesIntoPrometheus {
  readonly exporter = new ChangingExporter();
  readonly #releases: (() => unknown)[] = [];
  ours!: Prometheus;
  theirs!: Prometheus;

  /** Returns the collector. */
  async start(): Promise<AgentProcess> {
    const host = await this.exporter.listen();
    this.#releases.push(() => this.exporter.close());
    [this.ours, this.theirs] = [await this.#startPrometheus(), await this.#startPrometheus()];
    const agent = new AgentPair({
      REMOTE_URL: `${this.ours.url}/api/v1/write`,
      REMOTE_PROTOCOL: 'remote-write',
      DEVICE_ID: 'b1',
      COLLECTORS: 'scrape',
      SCRAPE_TARGETS: `node=http://${host}/ours`,
      SCRAPE_INTERVAL: '1s',
    });
    this.#releases.push(() => agent.remove());
    const peer = await startPrometheusAgent({
      global: { scrape_interval: '1s', external_labels: { device_id: 'b1' } },
      remote_write: [{ url: `${this.theirs.url}/api/v1/write` }],
      scrape_configs: [{ job_name: 'node', metrics_path: '/theirs', static_configs: [{ targets: [host] }] }],
    });
    this.#releases.push(() => peer.stop());
    const collector = agent.start('collector');
    agent.start('uploader');
    return collector;
  }

  async stop(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) await release();
  }

  async #startPrometheus(): Promise<Prometheus> {
    const prometheus = await Prometheus.start();
    this.#releases.push(() => prometheus.stop());
    return prometheus;
  }
}
