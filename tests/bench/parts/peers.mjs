/** vmagent and Prometheus in agent mode, each scraping an exporter and writing to a receiver. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findProgramAtHand, readVersion } from '../../../deploy/scripts/programs.ts';
import { freePort, metricsOf, valueIn } from './receiver.mjs';

const PEERS = {
  vmagent: {
    flags: ({ folder, config, remote, port }) => [
      `-promscrape.config=${config}`,
      `-remoteWrite.url=${remote}`,
      `-remoteWrite.tmpDataPath=${folder}/data`,
      `-httpListenAddr=127.0.0.1:${port}`,
    ],
    config: () => '',
    wireBytes: (text) => valueIn(text, 'vmagent_remotewrite_conn_bytes_written_total'),
    healthPath: '/health',
    pending: (text) => ({ value: valueIn(text, 'vmagent_remotewrite_pending_data_bytes'), unit: 'bytes' }),
  },
  prometheus: {
    flags: ({ folder, config, port, version }) => [
      version.startsWith('2.') ? '--enable-feature=agent' : '--agent',
      `--config.file=${config}`,
      `--storage.agent.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    config: (remote) => `remote_write:\n  - url: ${remote}\n`,
    // Bodies only: it does not count what it sends around them.
    wireBytes: (text) => valueIn(text, 'prometheus_remote_storage_bytes_total'),
    healthPath: '/-/healthy',
    pending: (text) => ({ value: valueIn(text, 'prometheus_remote_storage_samples_pending'), unit: 'samples' }),
  },
};

/** A program that is on this machine, with what a row of figures calls it; undefined when it is not. */
export async function findWithVersion(name) {
  const binary = await findProgramAtHand(name);
  if (binary === undefined) return undefined;
  const version = await readVersion(binary);
  return { name, binary, version, title: `${name} ${version}` };
}

/** Those peers that are on this machine. */
export async function findPeers() {
  const found = await Promise.all(Object.keys(PEERS).map(findWithVersion));
  return found.filter((peer) => peer !== undefined);
}

/** Starts a peer that scrapes `path` of an exporter, each second or as it is told, and sends to a receiver's port. */
export async function startPeer({ name, binary, version }, { receiverPort, exporterPort, path, interval = '1s' }) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-peer-'));
  mkdirSync(join(folder, 'data'));
  const port = await freePort();
  const config = join(folder, 'config.yml');
  const remote = `http://127.0.0.1:${receiverPort}/api/v1/write`;
  const scrape = `global:\n  scrape_interval: ${interval}\n  scrape_timeout: 1s\nscrape_configs:\n  - job_name: bench\n    metrics_path: ${path}\n    static_configs:\n      - targets: ["127.0.0.1:${exporterPort}"]\n`;
  writeFileSync(config, scrape + PEERS[name].config(remote));
  const child = spawn(binary, PEERS[name].flags({ folder, config, remote, port, version }), { stdio: 'ignore' });
  return {
    ...{ folder, receiverPort, child },
    healthUrl: `http://127.0.0.1:${port}${PEERS[name].healthPath}`,
    wireBytes: async () => PEERS[name].wireBytes(await metricsOf(port)),
    pending: async () => PEERS[name].pending(await metricsOf(port)),
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
