/** vmagent and Prometheus in agent mode, each beside a node_exporter of its own that it scrapes once a second. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort, valueIn } from './receiver.mjs';

const PEERS = {
  vmagent: {
    flags: ({ folder, config, receiver, port }) => [`-promscrape.config=${config}`, `-remoteWrite.url=http://127.0.0.1:${receiver}/api/v1/write`, `-remoteWrite.tmpDataPath=${folder}/data`, `-httpListenAddr=127.0.0.1:${port}`],
    config: () => '',
    wireBytes: (text) => valueIn(text, 'vmagent_remotewrite_conn_bytes_written_total'),
  },
  prometheus: {
    flags: ({ folder, config, port }) => ['--enable-feature=agent', `--config.file=${config}`, `--storage.agent.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
    config: (receiver) => `remote_write:\n  - url: http://127.0.0.1:${receiver}/api/v1/write\n`,
    // Bodies only: it does not count what it sends around them.
    wireBytes: (text) => valueIn(text, 'prometheus_remote_storage_bytes_total'),
  },
};

const EXPORTER = 'prometheus-node-exporter';
const isInstalled = (binary) => spawnSync(binary, ['--version'], { stdio: 'ignore' }).error === undefined;

/** Those peers that are installed here; none without an exporter to scrape. */
export function installedPeers() {
  return isInstalled(EXPORTER) ? Object.keys(PEERS).filter(isInstalled) : [];
}

/** Starts a peer and its exporter; they send to a receiver's port. */
export async function startPeer(name, receiver) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-peer-'));
  mkdirSync(join(folder, 'data'));
  const [port, exporterPort] = [await freePort(), await freePort()];
  const config = join(folder, 'config.yml');
  const scrape = `global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: ["127.0.0.1:${exporterPort}"]\n`;
  writeFileSync(config, scrape + PEERS[name].config(receiver));
  const children = [
    spawn(EXPORTER, [`--web.listen-address=127.0.0.1:${exporterPort}`], { stdio: 'ignore' }),
    spawn(name, PEERS[name].flags({ folder, config, receiver, port }), { stdio: 'ignore' }),
  ];
  return {
    pids: children.map(({ pid }) => pid),
    port,
    wireBytes: PEERS[name].wireBytes,
    async stop() {
      const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(ended);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
