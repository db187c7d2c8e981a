import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findProgram } from '../../deploy/scripts/programs.ts';
import { until } from './until.ts';

/** A program that a test runs beside the agent's. */
export class OtherProgram {
  readonly #child: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'other-program-'));
  readonly #ended: Promise<unknown>;
  log = '';

  /** @param args from the folder that it may write into, which goes with it */
  constructor(binary: string, args: (folder: string) => readonly string[]) {
    this.#child = spawn(binary, args(this.#folder), { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (part: Buffer) => (this.log += part.toString()));
    this.#ended = once(this.#child, 'close');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** node_exporter with its default collectors, on a port of its own if none is given; `url` is its page. */
export async function startNodeExporter(
  givenPort = 0,
): Promise<{ readonly program: OtherProgram; readonly url: string }> {
  const binary = await findProgram('node_exporter');
  const program = new OtherProgram(binary, () => [`--web.listen-address=127.0.0.1:${givenPort}`]);
  const port = await until('node_exporter listens', () => /address=127\.0\.0\.1:([1-9]\d*)/.exec(program.log)?.[1]);
  return { program, url: `http://127.0.0.1:${port}/metrics` };
}

/** Prometheus in agent mode, which scrapes by `config`, its configuration, and sends by remote write. */
export async function startPrometheusAgent(
  config: Readonly<Record<string, unknown>>,
  options: readonly string[] = [],
): Promise<OtherProgram> {
  const binary = await findProgram('prometheus');
  return new OtherProgram(binary, (folder) => {
    const file = join(folder, 'prometheus.json');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    return [
      '--agent',
      `--config.file=${file}`,
      `--storage.agent.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
      ...options,
    ];
  });
}

/** vmagent, with one target that it scrapes into a VictoriaMetrics. */
export async function startVmagent(
  target: { host: string; path: string; job: string; deviceId: string },
  remote: string,
): Promise<OtherProgram> {
  const binary = await findProgram('vmagent');
  return new OtherProgram(binary, (folder) => {
    const config = join(folder, 'scrape.json');
    const job = {
      job_name: target.job,
      metrics_path: target.path,
      static_configs: [{ targets: [target.host], labels: { device_id: target.deviceId } }],
    };
    // JSON is YAML.
    writeFileSync(config, JSON.stringify({ global: { scrape_interval: '5s' }, scrape_configs: [job] }));
    return [
      `-promscrape.config=${config}`,
      `-remoteWrite.url=${remote}/api/v1/write`,
      `-remoteWrite.tmpDataPath=${join(folder, 'queue')}`,
      '-httpListenAddr=127.0.0.1:0',
    ];
  });
}
