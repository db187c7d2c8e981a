/**
 * What the sidecar costs: a report with a large backlog, and the uploads' pace while clients press.
 *
 *   node tests/bench/sidecar.mjs [--pending 10000000] [--seconds 10] [--requests 10000]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';

const { values: options } = parseArgs({
  options: {
    pending: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: '10' },
    requests: { type: 'string', default: '10000' },
  },
});
const seconds = Number(options.seconds);
await prepare();
const { prepareDatabase } = await import('../../shared/src/database/prepare.ts');
const { SettledRanges } = await import('../../uploader/src/queue/settled-ranges.ts');
const { Backlog } = await import('../../uploader/src/queue/backlog.ts');
const { CollectorStateReader } = await import('../../uploader/src/telemetry/collector-state-reader.ts');
const { Snapshots } = await import('../../uploader/src/telemetry/snapshot.ts');
const { HealthMonitor } = await import('../../uploader/src/health/monitor.ts');
const { toStoppedState } = await import('../../uploader/src/telemetry/uploader-state.ts');

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const folder = mkdtempSync(join(tmpdir(), 'bench-sidecar-'));

/** Milliseconds that a report takes, at the median and at most, with so many rows pending. */
function reportCost(pending) {
  const path = join(folder, `pending-${pending}.db`);
  const database = prepareDatabase(path, quiet);
  database.pragma('synchronous = OFF');
  const first = Date.now() - 86_400_000;
  database
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO samples SELECT i, i % 100, ? + i / 100, i FROM n`,
    )
    .run(pending, first);
  database.prepare('UPDATE collector_state SET last_id = ?, collected = ?').run(pending, pending);
  const settled = new SettledRanges(database);
  let monotonicMs = 0;
  const clock = {
    now: () => Date.now(),
    monotonic: () => (monotonicMs += 1_000),
    sinceBoot: () => 0,
    sleep: async () => undefined,
  };
  const uploads = toStoppedState(undefined, { nowMs: Date.now(), skewMs: undefined });
  const snapshots = new Snapshots({
    clock,
    collectorState: new CollectorStateReader(database, path),
    backlog: new Backlog(database, settled),
    settled: () => settled.readRanges(),
    uploaderState: () => uploads,
    findLock: () => undefined,
    journal: () => [],
    batchMetrics: 2_500,
  });
  const limits = {
    uploadIntervalMs: 30_000,
    healthDegradedPending: 5_000,
    healthErrorPending: 10_000,
    healthErrorAfterMs: 600_000,
    clockSkewWarnMs: 2_000,
  };
  const monitor = new HealthMonitor({
    logger: quiet,
    snapshots,
    limits,
    version: '',
    deviceId: 'b',
    configurationWarnings: [],
  });
  const costs = Array.from({ length: 200 }, () => {
    const startedAt = performance.now();
    JSON.stringify(monitor.status());
    return performance.now() - startedAt;
  }).sort((a, b) => a - b);
  database.close();
  return { pending, medianMs: costs[100], mostMs: costs.at(-1) };
}

const children = [];
async function start(args, pattern, env = {}) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const found = pattern.exec(line);
    if (found === null) continue;
    child.stdout.resume();
    return { child, found: found[1] };
  }
  throw new Error(`${args[0]} ended early`);
}

const ask = (endpoint, path, agent) =>
  new Promise((resolve) => {
    get(new URL(path, endpoint), { agent }, (response) =>
      response.resume().once('end', () => resolve(response.statusCode)),
    ).once('error', () => resolve(0));
  });

/** Requests spread over the time, beside clients that never end their headers, and some with a megabyte of them. */
async function press(endpoint) {
  const { hostname, port } = new URL(endpoint);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const slow = [];
  const slowly = setInterval(() => {
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n');
    slow.push(socket);
  }, 50);
  const greedy = setInterval(() => {
    connect(Number(port), hostname)
      .on('error', () => undefined)
      .end(`GET / HTTP/1.1\r\nx: ${'a'.repeat(2 ** 20)}\r\n\r\n`);
  }, 200);
  const statuses = [];
  const total = Number(options.requests);
  const begun = performance.now();
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.ceil(((performance.now() - begun) / 1000 / seconds) * total));
    for (; sent < due; sent++)
      statuses.push(ask(endpoint, ['/health', '/metrics', '/', '/health/live'][sent % 4], agent));
    await sleep(5);
  }
  const answered = (await Promise.all(statuses)).filter((status) => status === 200).length;
  clearInterval(slowly);
  clearInterval(greedy);
  for (const socket of slow) socket.destroy();
  agent.destroy();
  return answered;
}

/** Samples that are delivered in the time, and the memory of the uploader after it, in MB. */
async function pace(endpoint, pid, during) {
  const delivered = async () => (await (await fetch(new URL('/status.json', endpoint))).json()).books.delivered;
  const before = await delivered();
  const startedAt = performance.now();
  const answered = await during();
  const perSecond = ((await delivered()) - before) / ((performance.now() - startedAt) / 1000);
  const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
  return { perSecond: Math.round(perSecond), rssMB: Math.round(rss), answered };
}

try {
  for (const pending of [10_000, Number(options.pending)]) console.log('report', JSON.stringify(reportCost(pending)));
  const receiver = await start(['tests/receiver/src/main.ts', '--port', '0'], /(http:\/\/[\d.]+:\d+)/);
  const env = {
    THUGSHELLS_DB_PATH: join(folder, 'metrics.db'),
    THUGSHELLS_REMOTE_URL: `${receiver.found}/api/v1/import`,
    THUGSHELLS_INTERVAL: '200ms',
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_HEALTH_PORT: '0',
    THUGSHELLS_LOG_FORMAT: 'json',
  };
  await start(['collector/dist/main.js'], /"msg":"(collector started)"/, env);
  const { child, found: endpoint } = await start(['uploader/dist/main.js'], /"endpoint":"(http:[^"]+)"/, env);
  await sleep(5_000);
  const rest = () => sleep(seconds * 1000);
  const rounds = [
    ['quiet', rest],
    ['pressed', () => press(endpoint)],
    ['quiet', rest],
    ['pressed', () => press(endpoint)],
    ['quiet', rest],
  ];
  for (const [name, during] of rounds) console.log(name, JSON.stringify(await pace(endpoint, child.pid, during)));
} finally {
  for (const child of children.reverse()) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'close');
  }
  rmSync(folder, { recursive: true });
}
