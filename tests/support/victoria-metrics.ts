import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { findProgram } from '../../deploy/scripts/programs.ts';
import { ownConnection, PortTaken, VictoriaMetricsProcess } from './victoria-metrics-process.ts';

/** How a VictoriaMetrics is started. */
export interface VictoriaMetricsOptions {
  /** Where it keeps its data; without it, a temporary directory that stop() removes. */
  readonly dir?: string;
  /** 0, the default, lets the kernel choose. */
  readonly port?: number;
  /** More flags; one that repeats a default below replaces it. */
  readonly flags?: readonly string[];
}

/** One line of an export: a series with its samples in the order of time. */
export interface ExportedSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly number[];
  /** Unix milliseconds. */
  readonly timestamps: readonly number[];
}

/**
 * What a test wants other than the server's own defaults: deduplication as the documents ask for it, queries that
 * see the newest samples, and a retention that holds old samples but still refuses seconds taken for milliseconds
 * (one of 100y reaches back beyond 1970 and stores those).
 */
const TEST_FLAGS = ['-dedup.minScrapeInterval=1ms', '-search.latencyOffset=0s', '-retentionPeriod=10y'];

/** How often another port is tried, or the same one again, where it turns out to be taken. */
const PORT_ATTEMPTS = 10;

/** How long a counter may take to appear: /metrics is refreshed about once a second. */
const METRIC_DEADLINE_MS = 10_000;
const METRIC_POLL_MS = 50;

/** Starts a real VictoriaMetrics on loopback and waits until it is healthy. It never outlives this process. */
export async function startVictoriaMetrics(options: VictoriaMetricsOptions = {}): Promise<VictoriaMetrics> {
  const binary = await findProgram('victoria-metrics');
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'victoria-metrics-')));
  const server = new VictoriaMetrics(binary, dir, options);
  try {
    await server.restart();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A VictoriaMetrics that a test owns; startVictoriaMetrics() makes one. */
export class VictoriaMetrics {
  readonly #binary: string;
  readonly #dir: string;
  readonly #options: VictoriaMetricsOptions;
  #port: number;
  #process: VictoriaMetricsProcess | undefined;

  constructor(binary: string, dir: string, options: VictoriaMetricsOptions) {
    this.#binary = binary;
    this.#dir = dir;
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  /** The port it listens on, the same after a restart. */
  get port(): number {
    return this.#port;
  }

  /** Its origin, without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The process id of the last start. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Sends a signal, SIGKILL by default, and waits until the process is gone. Data and port are kept for restart(). */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.kill(signal);
  }

  /** Ends it in order and removes a temporary directory. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    if (this.#options.dir === undefined) await rm(this.#dir, { recursive: true, force: true });
  }

  /**
   * Ends it in order if it still runs, then starts it again with the same data on the same port.
   *
   * @param more flags of this start alone
   */
  async restart(more: readonly string[] = []): Promise<void> {
    await this.kill('SIGTERM');
    const flags = [...TEST_FLAGS, ...(this.#options.flags ?? []), ...more];
    for (let attempt = 1; ; attempt += 1) {
      const port = this.#port === 0 ? await freePort() : this.#port;
      try {
        this.#process = await VictoriaMetricsProcess.start({ binary: this.#binary, dir: this.#dir, port, flags });
        this.#port = port;
        return;
      } catch (error) {
        if (!(error instanceof PortTaken) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  /** Makes everything that was acknowledged visible to queries. It does not make it durable. */
  async flush(): Promise<void> {
    await this.#get('/internal/force_flush');
  }

  /**
   * What is stored of the series that `match` means, from 1970 to two days ahead, newest rows included, and
   * deduplicated if the server is. A test that counts duplicates starts it with `-dedup.minScrapeInterval=0s`:
   * even the `raw` rows of a server with deduplication lack those that reached the disk together.
   */
  async export(match = '{__name__!=""}', { raw = false } = {}): Promise<ExportedSeries[]> {
    await this.flush();
    // Without an end the export stops at the last full second.
    const end = String(Math.ceil(Date.now() / 1000) + 3 * 86_400);
    const query = new URLSearchParams({ 'match[]': match, start: '0', end, ...(raw ? { reduce_mem_usage: '1' } : {}) });
    const text = await this.#get(`/api/v1/export?${query.toString()}`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(parseExportLine);
  }

  /** The value of one of its own metrics, by the name with labels as /metrics writes it; undefined if there is none. */
  async metric(name: string): Promise<number | undefined> {
    const text = await this.#get('/metrics');
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  /** Waits until one of its own metrics has at least this value. */
  async untilMetric(name: string, atLeast: number): Promise<number> {
    const deadline = performance.now() + METRIC_DEADLINE_MS;
    for (;;) {
      const value = await this.metric(name);
      if (value !== undefined && value >= atLeast) return value;
      if (performance.now() > deadline) throw new Error(`${name} is ${value}, and not ${atLeast} in time`);
      await delay(METRIC_POLL_MS);
    }
  }

  async #get(path: string): Promise<string> {
    const response = await fetch(`${this.url}${path}`, ownConnection);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  }
}

/** Infinities stand bare in an export of 1.79, which is not JSON, and as text in one of 1.151; 1e999 reads as the same. */
function parseExportLine(line: string): ExportedSeries {
  const values = /"values":\[[^\]]*\]/;
  return JSON.parse(
    line.replace(values, (text) => text.replace(/"(-?)Infinity"|[+]?(-?)Inf/g, '$1$21e999')),
  ) as ExportedSeries;
}
