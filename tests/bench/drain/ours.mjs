/** A drain by collector and uploader, as their units start them. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { root } from '../../../deploy/prepare.mjs';
import { cpuSeconds, pssMB } from '../../support/processes.mjs';
import { freePort, metricsOf, startReceiver, valueIn } from './receiver.mjs';

/** Often, so that enough scrapes fall into the seconds of a drain. */
const SCRAPE_INTERVAL_MS = 200;
/** How long the collector runs beside a receiver that is away, to tell when its scrapes end undisturbed. */
const QUIET_MS = 5_000;

/** How a unit starts Node: its flags, and what it sets for the allocator. */
function startedByUnit(name) {
  const unit = readFileSync(join(root, `deploy/systemd/thugshells-${name}.service`), 'utf8');
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  const [, arenas] = /^Environment=MALLOC_ARENA_MAX=(\d+)$/m.exec(unit) ?? [];
  return { flags: command.match(/--\S+/g) ?? [], environment: arenas === undefined ? {} : { MALLOC_ARENA_MAX: arenas } };
}

/** When each scrape of each collector ended, from its log. */
function watchScrapes(stdout) {
  const ends = new Map();
  createInterface({ input: stdout }).on('line', (line) => {
    if (!line.includes('"msg":"scrape"')) return;
    const { collector, time } = JSON.parse(line);
    ends.set(collector, [...(ends.get(collector) ?? []), Date.parse(time)]);
  });
  return ends;
}

/** How much later than undisturbed the scrapes of some time ended, in ms. */
function delaysOf(ends, fromMs, toMs) {
  return [...ends.values()].flatMap((times) => {
    const phase = (at) => (at - times[0] + SCRAPE_INTERVAL_MS * 1.5) % SCRAPE_INTERVAL_MS;
    const quiet = times.filter((at) => at < fromMs).map(phase).sort((a, b) => a - b);
    return times.filter((at) => at >= fromMs && at <= toMs).map((at) => Math.max(0, phase(at) - quiet[quiet.length >> 1]));
  });
}

/**
 * Fills a database, lets both processes find the receiver away, starts it and waits until every sample is to be seen.
 *
 * @param {{ samples: number, series: number, probe: string | undefined, fillDatabase: Function }} plan
 */
export async function drainOurs({ samples, series, probe, fillDatabase }) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-drain-'));
  const path = join(folder, 'metrics.db');
  // A copy of its own: what the bench itself maps of the file would count as shared.
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  const stored = fillDatabase(path, { samples, series });
  const [port, healthPort] = [await freePort(), await freePort()];
  const start = (name, environment, stdout) => {
    const unit = startedByUnit(name);
    return spawn(node, [...unit.flags, join(root, name, 'dist/main.js')], {
      env: { PATH: process.env.PATH, ...unit.environment, THUGSHELLS_DB_PATH: path, THUGSHELLS_DEVICE_ID: `board-${name}`, ...environment },
      stdio: ['ignore', stdout, 'inherit'],
    });
  };
  const collector = start('collector', { THUGSHELLS_INTERVAL: `${SCRAPE_INTERVAL_MS}ms`, THUGSHELLS_LOG_LEVEL: 'debug', THUGSHELLS_LOG_FORMAT: 'json' }, 'pipe');
  const ends = watchScrapes(collector.stdout);
  const uploader = start(
    'uploader',
    {
      THUGSHELLS_REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`,
      THUGSHELLS_HEALTH_PORT: String(healthPort),
      THUGSHELLS_RETRY_ATTEMPTS: '1',
      ...(probe === undefined ? {} : { THUGSHELLS_PROBE_INTERVAL: probe }),
    },
    'ignore',
  );
  const stop = async (receiver) => {
    receiver?.stop();
    const ended = [collector, uploader].map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve)));
    for (const child of [collector, uploader]) child.kill('SIGTERM');
    await Promise.all(ended);
    rmSync(folder, { recursive: true, force: true });
  };
  const isAway = async () => (await (await fetch(`http://127.0.0.1:${healthPort}/health`)).json()).components.uploader.details.receiver === 'away';
  while (!(await isAway().catch(() => false))) await sleep(100);
  await sleep(QUIET_MS);
  const before = [collector, uploader].map(({ pid }) => cpuSeconds(pid));
  const receiver = await startReceiver(folder, port);
  const seen = await watchDrain({ receiver, stored, selector: '{device_id="bench"}', healthPort, pids: [collector.pid, uploader.pid] });
  const cpu = [collector, uploader].map(({ pid }, index) => cpuSeconds(pid) - before[index]);
  await stop(receiver);
  return { ...seen, cpuSeconds: cpu[0] + cpu[1], scrapeDelaysMs: delaysOf(ends, seen.firstAtMs, seen.sentAtMs) };
}

async function watchDrain({ receiver, stored, selector, healthPort, pids }) {
  const upAt = performance.now();
  const after = () => (performance.now() - upAt) / 1000;
  const seen = { peakPssMB: 0, stored };
  for (;;) {
    seen.peakPssMB = Math.max(seen.peakPssMB, pids.reduce((sum, pid) => sum + pssMB(pid), 0));
    const own = await metricsOf(healthPort);
    const uploaded = valueIn(own, 'uploader_metrics_uploaded_total');
    if (seen.firstSeconds === undefined && uploaded > 0) Object.assign(seen, { firstSeconds: after(), firstAtMs: Date.now() });
    if (seen.sentSeconds === undefined && uploaded >= stored) {
      Object.assign(seen, { sentSeconds: after(), sentAtMs: Date.now(), bytesPerSample: valueIn(own, 'uploader_bytes_sent_total') / uploaded });
    }
    if (seen.sentSeconds !== undefined && (await receiver.visible(selector)) >= stored) {
      return { ...seen, visibleSeconds: after(), samplesPerSecond: stored / (seen.sentSeconds - seen.firstSeconds) };
    }
    await sleep(50);
  }
}
