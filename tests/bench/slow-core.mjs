/**
 * Both programs on a slow core: bound to one, with a control group's quota of a tenth of it, and in fast motion: each
 * interval is a default one divided by a factor, so that the work of an hour passes in some minutes. Beside them vmagent and
 * Prometheus in agent mode with node_exporter, one after the other, where they are on this machine; they scrape every 10 s
 * divided by the same factor. The receiver and this bench are outside of the group.
 *
 *   node tests/bench/slow-core.mjs [--factor 10] [--hours 1] [--share 0.1] [--core 0] [--no-peers] [--json]
 *
 * A factor of 10 and a tenth of a core ask a hundred times as much of the core as a default device does of a whole one.
 * What does not follow an interval (the heartbeat, reports, the look at the health endpoint each second) is not faster.
 * A factor above 10 needs --no-peers, which scrape once a second at most. Needs root and cgroups (v1 or v2) whose CPU time can be limited; says so where they are missing.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, quantile } from '../support/figures.ts';
import { cpuSeconds } from '../support/processes.ts';
import { fastMotion } from './parts/fast-motion.mjs';
import { Pair } from './parts/pair.mjs';
import { findPeers, findWithVersion, startPeer } from './parts/peers.mjs';
import { freePort, startReceiver } from './parts/receiver.mjs';
import { findDelays, watchScrapes } from './parts/scrape-times.mjs';
import { createSlowCore } from './parts/slow-core-group.mjs';
import { withCleanup } from './parts/with-cleanup.mjs';

const { values: options } = parseArgs({
  options: {
    factor: { type: 'string', default: '10' },
    hours: { type: 'string', default: '1' },
    share: { type: 'string', default: '0.1' },
    core: { type: 'string', default: '0' },
    'no-peers': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const factor = Number(options.factor);
const seconds = (Number(options.hours) * 3_600) / factor;
if (factor > 10 && !options['no-peers']) throw new Error('a factor above 10 needs --no-peers');
const PEER_INTERVAL_MS = 10_000 / factor;
const LOOK_INTERVAL_MS = 1_000;
/** After the start, which takes some seconds on such a core: the first uploads with all their series. */
const WARM_UP_MS = 10_000;
const HEALTH_TIMEOUT_MS = 30_000;

await prepare();
const { COLLECTORS } = await import('../../collector/src/collectors/table.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { collectorConfig, uploaderConfig, variables } = await fastMotion(factor);
const intervalMs = (collector) => collectorConfig[`${collector}IntervalMs`] / factor;

function openSlowCore() {
  try {
    return createSlowCore({ core: Number(options.core), share: Number(options.share) });
  } catch (error) {
    const { message } = error;
    const text = `CPU time cannot be limited here, nothing was measured: ${message.trim()}`;
    if (options.json) printFigures(text, [], true);
    else console.log(`${text}\nneeds root, cgroup v1 or v2 with the controller cpu, and taskset (util-linux)`);
    return process.exit(0);
  }
}

/** Asks for health each second while time passes: the slowest answer, and what the processes took of their quota. */
async function watch({ pids, slowCore, healthUrl, onHealth = () => undefined }) {
  const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const [cpuBefore, startedAt] = [cpu(), performance.now()];
  const answersMs = [];
  for (let due = startedAt; due < startedAt + seconds * 1000; due += LOOK_INTERVAL_MS) {
    await sleep(Math.max(0, due - performance.now()));
    const askedAt = performance.now();
    const text = await fetch(healthUrl, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) }).then((answer) =>
      answer.text(),
    );
    answersMs.push(performance.now() - askedAt);
    onHealth(text);
  }
  const passed = (performance.now() - startedAt) / 1000;
  return {
    answersMs,
    quotaPercent: ((cpu() - cpuBefore) / passed / slowCore.share) * 100,
    throttledPercent: slowCore.throttledShare() * 100,
  };
}

/** When the scrapes of each collector began, from what is stored. */
function readScrapeTimes(path) {
  const database = openDatabase(path, { readonly: true });
  const from = database.prepare('SELECT MIN(timestamp_ms) FROM metrics').pluck().get() + WARM_UP_MS;
  const found = Object.entries(COLLECTORS).map(([name, { series }]) => {
    const names = JSON.stringify(series.map((declared) => declared.name));
    const times = database
      .prepare(
        `SELECT DISTINCT timestamp_ms FROM metrics
         WHERE timestamp_ms >= ? AND metric_name IN (SELECT value FROM json_each(?)) ORDER BY 1`,
      )
      .pluck()
      .all(from, names);
    return findDelays(times, intervalMs(name));
  });
  database.close();
  return {
    delaysMs: found.flatMap(({ delaysMs }) => delaysMs),
    missed: found.reduce((sum, { missed }) => sum + missed, 0),
  };
}

/** Resolves when samples are delivered; returns the seconds that passed. */
async function untilDelivering(healthUrl) {
  const startedAt = performance.now();
  for (;;) {
    const report = await fetch(healthUrl).then(
      (response) => response.json(),
      () => undefined,
    );
    if (report?.components.uploader?.details?.last_upload !== undefined) return (performance.now() - startedAt) / 1000;
    if (performance.now() - startedAt > 300_000) throw new Error(`no delivery within 5 min: ${JSON.stringify(report)}`);
    await sleep(100);
  }
}

async function ours(later) {
  const slowCore = openSlowCore();
  later(() => slowCore.remove());
  const pair = new Pair();
  later(() => pair.stop());
  const [port, healthPort] = [await freePort(), await freePort()];
  const receiver = await startReceiver(pair.folder, port);
  later(() => receiver.stop());
  const remote = { REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`, HEALTH_PORT: String(healthPort) };
  const programs = [pair.start('collector', variables), pair.start('uploader', { ...variables, ...remote })];
  const pids = programs.map(({ pid }) => pid);
  for (const pid of pids) slowCore.add(pid);
  const healthUrl = `http://127.0.0.1:${healthPort}/health`;
  const startSeconds = await untilDelivering(healthUrl);
  await sleep(WARM_UP_MS);
  const oldestSeconds = [];
  const onHealth = (text) =>
    oldestSeconds.push(JSON.parse(text).components.uploader.details.oldest_pending_age_seconds ?? 0);
  const seen = await watch({ pids, slowCore, healthUrl, onHealth });
  const { books } = await (await fetch(`http://127.0.0.1:${healthPort}/status.json`)).json();
  return { ...seen, ...readScrapeTimes(pair.database), startSeconds, oldestSeconds, books, title: slowCore.title };
}

async function peer(found, exporterBinary, later) {
  const slowCore = openSlowCore();
  later(() => slowCore.remove());
  const [receiverPort, exporterPort] = [await freePort(), await freePort()];
  const exporter = spawn(exporterBinary, [`--web.listen-address=127.0.0.1:${exporterPort}`], { stdio: 'ignore' });
  later(() => exporter.kill('SIGKILL'));
  slowCore.add(exporter.pid);
  const watched = await watchScrapes(exporterPort);
  later(() => watched.close());
  const interval = `${PEER_INTERVAL_MS}ms`;
  const running = await startPeer(found, { receiverPort, exporterPort: watched.port, path: '/metrics', interval });
  later(() => running.stop());
  slowCore.add(running.child.pid);
  const receiver = await startReceiver(running.folder, receiverPort);
  later(() => receiver.stop());
  while ((await receiver.inserted()) === 0) await sleep(100);
  await sleep(WARM_UP_MS);
  watched.times.length = 0;
  const seen = await watch({ pids: [exporter.pid, running.child.pid], slowCore, healthUrl: running.healthUrl });
  return { ...seen, ...findDelays(watched.times, PEER_INTERVAL_MS), pending: await running.pending() };
}

function toFigures(who, { answersMs, quotaPercent, throttledPercent, delaysMs, missed }, reach = {}) {
  return [
    { name: `${who}: a scrape begins late, p99`, value: quantile(delaysMs, 0.99), unit: 'ms' },
    { name: `${who}: the latest scrape`, value: Math.max(...delaysMs), unit: 'ms' },
    { name: `${who}: scrapes that were due and never began`, value: missed, unit: `of ${delaysMs.length + missed}` },
    { name: `${who}: slowest answer of health`, value: Math.max(...answersMs), unit: 'ms', reach: reach.answer },
    { name: `${who}: median answer of health`, value: quantile(answersMs, 0.5), unit: 'ms' },
    { name: `${who}: CPU used of the quota`, value: quotaPercent, unit: '%' },
    { name: `${who}: periods in which it had to wait`, value: throttledPercent, unit: '%' },
  ];
}

const seen = await withCleanup(ours);
const uploadSeconds = uploaderConfig.uploadIntervalMs / factor / 1000;
const who = 'thugshells';
const figures = [
  ...toFigures(who, seen, { answer: 'below 1000' }),
  { name: `${who}: start until samples are delivered`, value: seen.startSeconds, unit: 's' },
  { name: `${who}: samples collected`, value: seen.books.collected, unit: '' },
  { name: `${who}: pending at the end`, value: seen.books.pending, unit: 'samples' },
  {
    name: `${who}: oldest pending sample at any time`,
    value: Math.max(...seen.oldestSeconds),
    unit: 's',
    reach: `${2 * uploadSeconds} at most, two upload intervals`,
  },
];
const exporter = options['no-peers'] ? undefined : await findWithVersion('node_exporter');
for (const found of exporter === undefined ? [] : await findPeers()) {
  const peerSeen = await withCleanup((later) => peer(found, exporter.binary, later));
  const title = `${found.title} + ${exporter.title}`;
  figures.push(...toFigures(title, peerSeen), {
    name: `${title}: pending at the end`,
    ...peerSeen.pending,
  });
}
printFigures(
  `on ${seen.title}, ${options.hours} h of default work in ${seconds.toFixed(0)} s (factor ${factor}; UPLOAD_INTERVAL ${uploadSeconds}s)`,
  figures,
  options.json,
);
process.exit(0);
