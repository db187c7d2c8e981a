import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { AgentPair } from './agent-pair.ts';
import { startNodeExporter, startPrometheusAgent, type OtherProgram } from './other-scrapers.ts';
import { Prometheus } from './prometheus.ts';
import { readRawSeries, type RawSeries } from './remote-read.ts';
import { ScriptedExporter, SCRAPERS, type Scraper } from './scripted-exporter.ts';
import { CYCLE, scriptHonored, scriptOpenMetrics, scriptText } from './scripted-pages.ts';
import { until } from './until.ts';

/**
 * The same exporters through the agent and through Prometheus in agent mode, into one Prometheus that has rules: some minutes, until
 * the exporters stop and alerts fire, and until the exporters are back and no alert fires. `device_id` tells the two apart.
 */

export const INTERVAL_SECONDS = 5;
const INTERVAL_MS = INTERVAL_SECONDS * 1000;
/** How long the exporters stay away once every alert fires. */
const AWAY_MS = 30_000;
const SETTLE_MS = 120_000;
/** Scrapes that are compared after the exporters are back. */
export const SCRAPES_AFTER = 3;

/** The jobs of the scripted exporter, by the name that is also the first word of each of its metrics. */
const SCRIPTS = { text: scriptText, open: scriptOpenMetrics, honored: scriptHonored } as const;
export type ScriptedJob = keyof typeof SCRIPTS;
export const SCRIPTED_JOBS = Object.keys(SCRIPTS) as ScriptedJob[];
export const JOBS = ['node', ...SCRIPTED_JOBS] as const;

const RULES = [
  { alert: 'Down', expr: 'up == 0', for: '15s' },
  {
    alert: 'Absent',
    expr: SCRAPERS.map((scraper) => `absent(node_load1{device_id="${scraper}"})`).join(' or '),
  },
  { alert: 'Fast', expr: 'rate(honored_steady_total[20s]) > 20' },
  {
    alert: 'NoRate',
    expr: 'count by (device_id) (up{job="honored"}) unless count by (device_id) (rate(honored_steady_total[20s]))',
  },
] as const;

/** An alert that fires. */
interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: string;
}

/** What a run recorded. The receiver holds all of it, and still runs. */
export interface ScrapeComparison {
  readonly receiver: Prometheus;
  /** When both had sent samples, and no alert fired. */
  readonly startedAtMs: number;
  readonly stoppedAtMs: number;
  readonly returnedAtMs: number;
  readonly endedAtMs: number;
  /** Scrapes of each scripted page before the stop. */
  readonly scrapes: number;
  /** Every series of a scraper, without its `device_id`. */
  readonly series: Readonly<Record<Scraper, readonly RawSeries[]>>;
  /** The page of node_exporter. */
  readonly nodePage: string;
  readonly stop: () => Promise<void>;
}

function listJobs(scripted: string, node: string): object[] {
  const scriptedJobs = SCRIPTED_JOBS.map((job) => ({
    job_name: job,
    metrics_path: `/${job}`,
    honor_labels: job === 'honored',
    static_configs: [{ targets: [scripted] }],
    metric_relabel_configs: [{ source_labels: ['__name__'], action: 'drop', regex: '[a-z]+_dropped' }],
  }));
  return [{ job_name: 'node', static_configs: [{ targets: [node] }] }, ...scriptedJobs];
}

/** Both scrapers, with one configuration. */
async function startScrapers(
  jobs: readonly object[],
  receiver: string,
  later: (release: () => Promise<unknown>) => void,
): Promise<void> {
  const config = {
    global: { scrape_interval: `${INTERVAL_SECONDS}s`, scrape_timeout: '3s' },
    scrape_configs: jobs,
  };
  const url = `${receiver}/api/v1/write`;
  const agent = new AgentPair({
    REMOTE_URL: url,
    REMOTE_PROTOCOL: 'remote-write',
    DEVICE_ID: 'agent' satisfies Scraper,
    COLLECTORS: 'scrape',
    UPLOAD_INTERVAL: '1s',
  });
  later(() => agent.remove());
  const file = join(agent.folder, 'scrape.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const peer = await startPrometheusAgent({
    ...config,
    global: { ...config.global, external_labels: { device_id: 'prometheus' satisfies Scraper } },
    // The pace of the uploader.
    remote_write: [{ url, queue_config: { batch_send_deadline: '1s' } }],
  });
  later(() => peer.stop());
  agent.start('collector', { THUGSHELLS_SCRAPE_CONFIG: file });
  agent.start('uploader');
}

/** Lists the alerts that fire. */
async function listFiring({ url }: Prometheus): Promise<FiringAlert[]> {
  const response = await fetch(`${url}/api/v1/alerts`, { headers: { connection: 'close' } });
  const { data } = (await response.json()) as { data: { alerts: FiringAlert[] } };
  return data.alerts.filter(({ state }) => state === 'firing');
}

/** Whether all alerts of the stop fire for both scrapers: one for each job, and the two others. */
async function areAllFiring(receiver: Prometheus): Promise<boolean> {
  const firing = await listFiring(receiver);
  const count = (name: string): number => firing.filter(({ labels }) => labels['alertname'] === name).length;
  return (
    count('Down') === JOBS.length * SCRAPERS.length &&
    count('Absent') === SCRAPERS.length &&
    count('NoRate') === SCRAPERS.length
  );
}

/** Reads all series of a scraper. */
async function readSide({ url }: Prometheus, scraper: Scraper, fromMs: number): Promise<RawSeries[]> {
  const found = await readRawSeries(url, { device_id: scraper }, { fromMs, toMs: Date.now() + INTERVAL_MS });
  return found
    .filter(({ labels }) => !labels['__name__']!.startsWith('ALERTS'))
    .map(({ labels: { device_id: _, ...labels }, samples }) => ({ labels, samples }));
}

/** @param seconds until the exporters stop, or longer: whole cycles of the scripted pages */
export async function compareScrapes(seconds: number): Promise<ScrapeComparison> {
  const toRelease: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const release of toRelease.splice(0).reverse()) await release();
  };
  try {
    return { ...(await run(seconds, (release) => toRelease.push(release))), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(
  seconds: number,
  later: (release: () => Promise<unknown>) => void,
): Promise<Omit<ScrapeComparison, 'stop'>> {
  const scrapes = Math.ceil(seconds / INTERVAL_SECONDS / CYCLE) * CYCLE;
  const receiver = await Prometheus.startWithRules([{ name: 'rules', interval: `${INTERVAL_SECONDS}s`, rules: RULES }]);
  later(() => receiver.stop());
  const scripted = new ScriptedExporter(
    Object.fromEntries(Object.entries(SCRIPTS).map(([job, script]) => [`/${job}`, script])),
  );
  scripted.maxScrapes = scrapes;
  await scripted.start();
  later(() => scripted.stop());
  const node = await NodeExporter.start(later);
  const beganAtMs = Date.now();
  await startScrapers(listJobs(scripted.host, node.host), receiver.url, later);
  await until('both scrape', () => scripted.scrapes >= 3, SETTLE_MS);
  await until('no alert fires', async () => (await listFiring(receiver)).length === 0, SETTLE_MS);
  const startedAtMs = Date.now();
  await until('both have had all pages', () => scripted.scrapes === scrapes, scrapes * INTERVAL_MS + SETTLE_MS);
  const nodePage = await node.read();
  await Promise.all([scripted.stop(), node.stop()]);
  const stoppedAtMs = Date.now();
  await until('all alerts fire for both', () => areAllFiring(receiver), SETTLE_MS);
  await sleep(AWAY_MS);
  scripted.maxScrapes = Infinity;
  await Promise.all([scripted.start(), node.start()]);
  const returnedAtMs = Date.now();
  await until('no alert fires any more', async () => (await listFiring(receiver)).length === 0, SETTLE_MS);
  await until('both scrape again', () => scripted.scrapes > scrapes + SCRAPES_AFTER, SETTLE_MS);
  const [agent, prometheus] = [
    await readSide(receiver, 'agent', beganAtMs),
    await readSide(receiver, 'prometheus', beganAtMs),
  ];
  return {
    ...{ receiver, startedAtMs, stoppedAtMs, returnedAtMs, endedAtMs: Date.now(), scrapes, nodePage },
    series: { agent, prometheus },
  };
}

/** A node_exporter that is stopped, and started again on its port. */
class NodeExporter {
  #running: { readonly program: OtherProgram; readonly url: string };

  private constructor(running: { readonly program: OtherProgram; readonly url: string }) {
    this.#running = running;
  }

  static async start(later: (release: () => Promise<unknown>) => void): Promise<NodeExporter> {
    const exporter = new NodeExporter(await startNodeExporter());
    later(() => exporter.stop());
    return exporter;
  }

  get host(): string {
    return new URL(this.#running.url).host;
  }

  async read(): Promise<string> {
    return (await fetch(this.#running.url, { headers: { connection: 'close' } })).text();
  }

  async start(): Promise<void> {
    this.#running = await startNodeExporter(Number(new URL(this.#running.url).port));
  }

  async stop(): Promise<void> {
    await this.#running.program.stop();
  }
}
