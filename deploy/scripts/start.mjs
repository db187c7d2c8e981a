/**
 * Runs both programs on this machine, and a receiver for them if none is configured.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { findProgramAtHand } from './programs.ts';
import { prepare, root } from './prepare.mjs';

const help = `usage: npm start [-- --data FOLDER]

Runs collector and uploader on this machine. Samples are sent to THUGSHELLS_REMOTE_URL if it is set, else to a
VictoriaMetrics that is started for them (VICTORIA_METRICS_BIN, built by npm run peers, or on the PATH), else to the
receiver of the tests. Data is stored in FOLDER, by default var/. Every THUGSHELLS_ variable works; Ctrl-C ends everything.`;

const PROGRESS_INTERVAL_MS = 5_000;
const LOOK_INTERVAL_MS = 500;
const END_GRACE_MS = 15_000;

const children = [];
let ending = false;

/** Starts a child process; if it ends by itself, everything ends. */
function start(name, command, args, { env = {}, onLine = () => {} } = {}) {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C reaches this script alone, which ends the others in order.
    detached: true,
  });
  const last = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line);
      if (last.length > 20) last.shift();
      onLine(line);
    });
  }
  const ended = new Promise((resolve) => {
    child.once('error', (error) => last.push(error.message));
    child.once('close', (code) => resolve(code ?? 1));
  });
  void ended.then((code) => {
    if (ending) return;
    console.error(`${name} ended with exit code ${code}; its last lines:\n${last.join('\n')}`);
    void end(code || 1);
  });
  children.push({ name, child, ended });
  return child;
}

/** Ends everything, last started first: the uploader may still talk to the receiver. */
async function end(code) {
  if (ending) return;
  ending = true;
  for (const { name, child, ended } of [...children].reverse()) {
    child.kill('SIGTERM');
    const late = sleep(END_GRACE_MS, 'late', { ref: false });
    if ((await Promise.race([ended, late])) !== 'late') continue;
    console.error(`${name} did not end by itself`);
    child.kill('SIGKILL');
  }
  process.exit(code);
}

/** `preferred` where it is free, else one that the kernel chooses. */
async function freePort(preferred) {
  const listen = (port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(undefined));
      server.listen(port, '127.0.0.1', () => {
        const { port: chosen } = server.address();
        server.close(() => resolve(chosen));
      });
    });
  return (await listen(preferred)) ?? (await listen(0));
}

async function isHealthy(url) {
  try {
    return (await fetch(new URL('/health', url), { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

/** The address that samples go to; starts what listens there unless somebody else does. */
async function receiver(dataFolder) {
  const named = process.env.THUGSHELLS_REMOTE_URL;
  if (named) return { url: named, what: 'the receiver at THUGSHELLS_REMOTE_URL' };
  const port = await freePort(8428);
  const origin = `http://127.0.0.1:${port}`;
  const binary = await findProgramAtHand('victoria-metrics');
  if (binary === undefined) {
    start('receiver', process.execPath, ['tests/receiver/src/main.ts', '--port', String(port)]);
  } else {
    const flags = ['-dedup.minScrapeInterval=1ms', '-search.latencyOffset=0s', `-httpListenAddr=127.0.0.1:${port}`];
    start('VictoriaMetrics', binary, [`-storageDataPath=${join(dataFolder, 'victoria-metrics')}`, ...flags]);
  }
  while (!(await isHealthy(origin))) await sleep(LOOK_INTERVAL_MS);
  return {
    url: `${origin}/api/v1/import`,
    what: binary === undefined ? 'the bundled receiver (no VictoriaMetrics found)' : `VictoriaMetrics (${binary})`,
    query: `${origin}/api/v1/query?query=cpu_usage_percent`,
  };
}

/** Returns a function that prints the warnings and errors of a program for a person. */
function printProblems(name) {
  return (line) => {
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      console.error(`${name}: ${line}`);
      return;
    }
    if (entry.level !== 'warn' && entry.level !== 'error') return;
    const reason = entry.error ?? entry.reason ?? '';
    console.error(`${name}: ${entry.msg}${reason === '' ? '' : ` (${reason})`}`);
  };
}

async function showProgress(sidecar) {
  let shownAt = 0;
  let before = -1;
  for (;;) {
    await sleep(LOOK_INTERVAL_MS);
    let report;
    try {
      report = await (await fetch(new URL('/health', sidecar), { signal: AbortSignal.timeout(2000) })).json();
    } catch {
      continue;
    }
    const { collected, delivered, pending } = report.components.storage.details;
    // The first reports come before the collector has created the database.
    if (collected === undefined) continue;
    const isFirst = before <= 0 && delivered > 0;
    if (!isFirst && (Date.now() - shownAt < PROGRESS_INTERVAL_MS || collected === before)) continue;
    shownAt = Date.now();
    before = delivered;
    const time = new Date().toTimeString().slice(0, 8);
    const counts = [`${collected} collected`, `${delivered} delivered`, `${pending} pending`];
    console.log(
      `${time}  ${(report.starting ? 'starting' : report.status).padEnd(8)}  ${counts.map((count) => count.padStart(18)).join('')}`,
    );
  }
}

async function main() {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' }, data: { type: 'string' } } });
  if (values.help) return void console.log(help);
  const dataFolder = resolve(root, values.data ?? 'var');
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void end(0));
  // Nobody reads any more, as after `npm start | head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => void end(0));
  await prepare();
  mkdirSync(dataFolder, { recursive: true });
  const { url, what, query } = await receiver(dataFolder);
  const { THUGSHELLS_HEALTH_PORT: givenPort = '0' } = process.env;
  // With 0 too the port is known before the uploader runs: its page is watched.
  const healthPort = Number(givenPort) === 0 ? String(await freePort(9109)) : givenPort;
  const env = {
    THUGSHELLS_REMOTE_URL: url,
    THUGSHELLS_DB_PATH: process.env.THUGSHELLS_DB_PATH ?? join(dataFolder, 'metrics.db'),
    THUGSHELLS_HEALTH_PORT: healthPort,
    // Somebody is watching.
    THUGSHELLS_UPLOAD_INTERVAL: process.env.THUGSHELLS_UPLOAD_INTERVAL ?? '5s',
    THUGSHELLS_LOG_FORMAT: 'json',
  };
  start('collector', process.execPath, ['collector/dist/main.js'], { env, onLine: printProblems('collector') });
  start('uploader', process.execPath, ['uploader/dist/main.js'], { env, onLine: printProblems('uploader') });
  const sidecar = `http://127.0.0.1:${healthPort}/`;
  console.log(`samples go to  ${what}, ${new URL(url).origin}`);
  console.log(`status page    ${sidecar}`);
  if (query) console.log(`try            curl '${query}'`);
  await showProgress(sidecar);
}

await main().catch((error) => {
  console.error(error.message);
  return end(error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1);
});
