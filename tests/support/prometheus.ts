import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { OtherProgram } from './other-scrapers.ts';
import { findProgram } from '../../deploy/scripts/programs.ts';
import { until } from './until.ts';
import type { ExportedSeries } from './victoria-metrics.ts';

/** How 3.x and 2.x log the port that the kernel chose. */
const LISTENING = /msg="Listening on"(?: component=web)? address=127\.0\.0\.1:([1-9]\d*)/;

/** Rules that are evaluated together. */
export interface RuleGroup {
  readonly name: string;
  readonly interval: string;
  readonly rules: readonly { readonly alert: string; readonly expr: string; readonly for?: string }[];
}

/** A Prometheus that takes remote write, and keeps its data and its port over a restart. */
export class Prometheus {
  readonly #folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  readonly #binary: string;
  readonly #ruleGroups: readonly RuleGroup[];
  #program: OtherProgram | undefined;
  #port = '0';

  private constructor(binary: string, ruleGroups: readonly RuleGroup[] = []) {
    this.#binary = binary;
    this.#ruleGroups = ruleGroups;
  }

  /**
   * @param outOfOrderWindow storage.tsdb.out_of_order_time_window; none by default, as Prometheus has it
   * @param generation Debian's, whatever the others of this run are
   */
  static async start(outOfOrderWindow?: string, generation?: 'debian'): Promise<Prometheus> {
    const env = generation === undefined ? process.env : { ...process.env, PEERS: generation };
    const prometheus = new Prometheus(await findProgram('prometheus', { env }));
    await prometheus.restart(outOfOrderWindow);
    return prometheus;
  }

  /** Starts one that evaluates rules. */
  static async startWithRules(ruleGroups: readonly RuleGroup[]): Promise<Prometheus> {
    const prometheus = new Prometheus(await findProgram('prometheus'), ruleGroups);
    await prometheus.restart();
    return prometheus;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends it by a signal and starts it anew. */
  async restart(outOfOrderWindow?: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#program?.stop(signal);
    const [config, rules] = [join(this.#folder, 'prometheus.yml'), join(this.#folder, 'rules.yml')];
    const storage = { tsdb: { out_of_order_time_window: outOfOrderWindow } };
    // JSON is YAML.
    writeFileSync(rules, JSON.stringify({ groups: this.#ruleGroups }));
    writeFileSync(
      config,
      JSON.stringify({ rule_files: [rules], ...(outOfOrderWindow === undefined ? {} : { storage }) }),
    );
    const program = new OtherProgram(this.#binary, () => [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(this.#folder, 'data')}`,
      '--storage.tsdb.retention.time=10y',
      `--web.listen-address=127.0.0.1:${this.#port}`,
      '--web.enable-remote-write-receiver',
    ]);
    this.#program = program;
    this.#port = await until('Prometheus listens', () => LISTENING.exec(program.log)?.[1]);
    await until(
      'Prometheus is ready',
      async () => (await fetch(`${this.url}/-/ready`, { headers: { connection: 'close' } })).ok,
    );
  }

  /** Ends it, removes its data, and starts it anew. */
  async empty(outOfOrderWindow?: string): Promise<void> {
    await this.#program?.stop();
    rmSync(join(this.#folder, 'data'), { recursive: true, force: true });
    this.#program = undefined;
    await this.restart(outOfOrderWindow);
  }

  /** Every sample that it holds, as a VictoriaMetrics would export it. */
  async export(): Promise<ExportedSeries[]> {
    const query = new URLSearchParams({ query: '{__name__=~".+"}[30d]', time: String(Date.now() / 1000 + 3_600) });
    const response = await fetch(`${this.url}/api/v1/query?${query.toString()}`, { headers: { connection: 'close' } });
    if (!response.ok) throw new Error(await response.text());
    const { data } = (await response.json()) as {
      data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
    };
    return data.result.map(({ metric, values }) => ({
      metric,
      values: values.map(([, value]) => Number(value)),
      timestamps: values.map(([seconds]) => Math.round(seconds * 1000)),
    }));
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
