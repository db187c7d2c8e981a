/**
 * How soon a damaged database of half a gigabyte no longer keeps samples from being stored: the built collector is
 * started on it as a process. One page in its middle is damaged, and then its header.
 *
 *   node tests/bench/salvage.mjs [--rows 10000000] [--series 500] [--limit 900] [--json]
 *
 * Until the next sample: from the start of the process. Longest pause: between two scrapes, one of which is due every
 * second, from then on. Until all is copied: rows that could be read are in the new database. --limit: seconds after
 * which that is no longer waited for.
 */
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { copyFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';
import { printFigures } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    series: { type: 'string', default: '500' },
    limit: { type: 'string', default: '900' },
    json: { type: 'boolean', default: false },
  },
});
const rows = Number(options.rows);
const MB = 1e6;

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');

const folder = mkdtempSync(join(tmpdir(), 'bench-salvage-'));
const whole = join(folder, 'whole.db');

function overwrite(path, position, bytes) {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

const DAMAGES = {
  'one page in the middle': (path) =>
    overwrite(path, Math.floor(statSync(path).size / 2048) * 1024, Buffer.alloc(1024, 0xa5)),
  'the header': (path) => overwrite(path, 0, Buffer.alloc(100, 0xa5)),
};

/** What a look at the database shows; undefined while there is none that can be read. */
function look(path) {
  let database;
  try {
    database = openDatabase(path, { readonly: true });
    const state = database
      .prepare('SELECT heartbeat, last_id AS lastId, collected, dropped FROM collector_state')
      .get();
    const copying = database.prepare('SELECT COUNT(*) FROM salvage').pluck().get() > 0;
    return { ...state, copying };
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}

/** Most memory that a process had, in MB. */
function peakMemory(pid) {
  return (Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024) / MB;
}

async function run(damage) {
  const path = join(folder, 'metrics.db');
  copyFileSync(whole, path);
  damage(path);
  const startedAt = Date.now();
  const collector = spawn(process.execPath, [join(root, 'collector/dist/main.js')], {
    env: {
      PATH: process.env.PATH,
      THUGSHELLS_DB_PATH: path,
      THUGSHELLS_DEVICE_ID: 'bench',
      THUGSHELLS_INTERVAL: '1s',
      THUGSHELLS_DB_MAX_SIZE: '2GiB',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log = [];
  collector.stdout.on('data', (bytes) => log.push(bytes));
  const said = (msg) => Buffer.concat(log).includes(msg);
  let firstMs;
  let last;
  let pauseMs = 0;
  let copiedMs;
  let foundMs;
  while (copiedMs === undefined && Date.now() - startedAt < Number(options.limit) * 1000) {
    await sleep(20);
    const seen = look(path);
    if (said('database corrupt, rebuilding')) foundMs ??= Date.now() - startedAt;
    if (seen === undefined || seen.heartbeat < startedAt) continue;
    firstMs ??= Date.now() - startedAt;
    if (last !== undefined && seen.heartbeat > last.heartbeat)
      pauseMs = Math.max(pauseMs, seen.heartbeat - last.heartbeat);
    last = seen;
    if (said('salvage finished') && !seen.copying) copiedMs = Date.now() - startedAt;
  }
  const memory = peakMemory(collector.pid);
  collector.kill('SIGTERM');
  await new Promise((resolve) => collector.once('exit', resolve));
  const database = openDatabase(path, { readonly: true });
  const survivors = database.prepare('SELECT COUNT(*) FROM samples WHERE timestamp_ms < ?').pluck().get(startedAt);
  const balanced = database.prepare('SELECT balanced FROM books').pluck().get();
  database.close();
  for (const file of ['metrics.db', 'metrics.db-wal', 'metrics.db-shm']) rmSync(join(folder, file), { force: true });
  return { firstMs, foundMs, pauseMs, copiedMs, memory, survivors, balanced };
}

try {
  fillDatabase(whole, { samples: rows, series: Number(options.series) });
  const figures = [];
  for (const [name, damage] of Object.entries(DAMAGES)) {
    const { firstMs, foundMs, pauseMs, copiedMs, memory, survivors, balanced } = await run(damage);
    figures.push(
      { name: `${name}: until the next sample`, value: firstMs / 1000, unit: 's', reach: '5 at most' },
      { name: `${name}: until the damage was told`, value: (foundMs ?? NaN) / 1000, unit: 's' },
      { name: `${name}: longest pause`, value: pauseMs / 1000, unit: 's', reach: '5 at most' },
      { name: `${name}: until all is copied`, value: (copiedMs ?? NaN) / 1000, unit: 's' },
      { name: `${name}: rows that survived, of ${rows}`, value: survivors, unit: '' },
      // NULL where an upper bound of the losses is booked.
      { name: `${name}: books balanced`, value: balanced ?? NaN, unit: '' },
      { name: `${name}: most memory`, value: memory, unit: 'MB' },
    );
  }
  printFigures(`a damaged database of ${(statSync(whole).size / MB).toFixed(0)} MB`, figures, options.json);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
