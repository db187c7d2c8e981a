/**
 * How long a backlog takes from the receiver's return until every sample is to be seen in a real VictoriaMetrics.
 *
 *   node tests/bench/drain.mjs [--samples 1000000] [--series 10000] [--probe 1s] [--runs 3] [--json]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/prepare.mjs';
import { findVictoriaMetrics } from '../support/find-victoria-metrics.mjs';

const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '1000000' },
    series: { type: 'string', default: '10000' },
    probe: { type: 'string', default: '1s' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
const samples = Number(options.samples);
const seriesCount = Number(options.series);

prepare();
const { fillDatabase } = await import('../support/fill-database.mjs');

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function metric(port, name) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}

async function seen(port) {
  await fetch(`http://127.0.0.1:${port}/internal/force_flush`);
  const query = encodeURIComponent('sum(count_over_time({__name__="network_rx_bytes_total"}[1d]))');
  const answer = await (await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${query}&nocache=1`)).json();
  return Number(answer.data?.result?.[0]?.value?.[1] ?? 0);
}

/** Proportional set size, in MB. */
function pss(pid) {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) / 1024;
  } catch {
    return 0;
  }
}

async function run() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-drain-'));
  const path = join(folder, 'metrics.db');
  const stored = fillDatabase(path, { samples, series: seriesCount });
  const port = await freePort();
  const healthPort = await freePort();
  const uploader = spawn(process.execPath, [join(root, 'uploader/dist/main.js')], {
    env: {
      PATH: process.env.PATH,
      THUGSHELLS_DB_PATH: path,
      THUGSHELLS_DEVICE_ID: 'bench',
      THUGSHELLS_REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`,
      THUGSHELLS_PROBE_INTERVAL: options.probe,
      THUGSHELLS_HEALTH_PORT: String(healthPort),
      THUGSHELLS_RETRY_ATTEMPTS: '1',
      THUGSHELLS_UPLOAD_INTERVAL: '30s',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const health = async () => (await (await fetch(`http://127.0.0.1:${healthPort}/health`)).json()).components.uploader.details.receiver;
  while ((await health().catch(() => '')) !== 'away') await sleep(100);
  const server = spawn(await findVictoriaMetrics(), [`-storageDataPath=${join(folder, 'vm')}`, `-httpListenAddr=127.0.0.1:${port}`, '-dedup.minScrapeInterval=1ms', '-search.latencyOffset=0s', '-search.maxUniqueTimeseries=1000000'], { stdio: 'ignore' });
  while (!(await fetch(`http://127.0.0.1:${port}/health`).then((answer) => answer.ok, () => false))) await sleep(5);
  const upAt = performance.now();
  let peak = 0;
  let firstAt;
  let sentAt;
  for (;;) {
    peak = Math.max(peak, pss(uploader.pid));
    const inserted = await metric(port, 'vm_rows_inserted_total{type="vmimport"}');
    const { uploaded, bytes } = await own(healthPort);
    firstAt ??= uploaded > 0 ? performance.now() : undefined;
    sentAt ??= uploaded >= stored ? performance.now() : undefined;
    if (sentAt !== undefined && inserted >= stored && (await seen(port)) >= stored) {
      const visibleAt = performance.now();
      const cpu = process.resourceUsage === undefined ? 0 : cpuSeconds(uploader.pid);
      uploader.kill('SIGTERM');
      server.kill('SIGKILL');
      await sleep(300);
      rmSync(folder, { recursive: true, force: true });
      return {
        visibleSeconds: (visibleAt - upAt) / 1000,
        sendingSeconds: (sentAt - firstAt) / 1000,
        samplesPerSecond: stored / ((sentAt - firstAt) / 1000),
        bytesPerSample: bytes / stored,
        peakPssMB: peak,
        cpuSeconds: cpu,
      };
    }
    await sleep(100);
  }
}

async function own(healthPort) {
  const text = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
  const value = (name) => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { uploaded: value('uploader_metrics_uploaded_total'), bytes: value('uploader_bytes_sent_total') };
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const results = [];
for (let each = 0; each < Number(options.runs); each++) results.push(await run());
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const summary = Object.fromEntries(Object.keys(results[0]).map((key) => [key, median(results.map((result) => result[key]))]));
if (options.json) console.log(JSON.stringify({ options, results, median: summary }));
else {
  console.log(`${samples} samples of ${seriesCount} series, probe ${options.probe}, median of ${results.length}:`);
  for (const [key, value] of Object.entries(summary)) console.log(`  ${key.padEnd(20)}${value.toFixed(2)}`);
}
