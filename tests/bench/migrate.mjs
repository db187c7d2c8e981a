/**
 * How long the first milestone's database takes to become one of this program, and what memory and disk that takes.
 *
 *   node tests/bench/migrate.mjs [--rows 5000000] [--page-size 4096] [--json]
 *
 * One row in ten is there twice, and must arrive once. With --page-size 1024 the file is migrated where it stands, in
 * WAL mode; with any other it is also copied into one with small pages.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    'page-size': { type: 'string', default: '4096' },
    json: { type: 'boolean', default: false },
  },
});
const rows = Number(options.rows);
const SERIES = 60;
const MB = 1e6;

await prepare();
const { openDatabase, openSideFile } = await import('../../shared/src/database/open.ts');

/** Values of 60 series, one of each a second; every tenth of them is stored once more. */
function fill(path) {
  const database = openSideFile(path);
  database.pragma(`page_size = ${Number(options['page-size'])}`);
  database.pragma('journal_mode = OFF');
  database.exec(readFileSync(join(root, 'migrations', '0001-metrics.sql'), 'utf8'));
  const insert = database.prepare(
    'INSERT INTO metrics (timestamp_ms, metric_name, metric_value, device_id) VALUES (?, ?, ?, ?)',
  );
  database.transaction(() => {
    for (let value = 0, stored = 0; stored < rows; value++) {
      const row = [
        1_700_000_000_000 + Math.floor(value / SERIES) * 1000,
        `metric.number_${value % SERIES}`,
        value / 4,
        value % 3 === 0 ? null : 'board',
      ];
      insert.run(row);
      stored += 1;
      if (value % 10 === 0 && stored < rows) {
        insert.run(row);
        stored += 1;
      }
    }
  })();
  database.close();
}

/** Values that were stored: each row but those that were there already. */
function distinctValues() {
  return Math.floor(rows / 11) * 10 + Math.max(0, (rows % 11) - 1) + (rows % 11 === 1 ? 1 : 0);
}

function sizeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function status(pid, name) {
  try {
    return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  } catch {
    return 0;
  }
}

/** Runs the collector's migrate; looks at it ten times a second. */
async function migrate(folder, path) {
  const startedAt = performance.now();
  const collector = spawn(process.execPath, [join(root, 'collector/dist/main.js'), 'migrate'], {
    env: { PATH: process.env.PATH, THUGSHELLS_DB_PATH: path, THUGSHELLS_LOG_FORMAT: 'console' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = new Promise((resolve) => collector.once('exit', resolve));
  const peak = { rss: 0, anonymous: 0, wal: 0, disk: 0 };
  const look = () => {
    peak.rss = Math.max(peak.rss, status(collector.pid, 'VmHWM'));
    peak.anonymous = Math.max(peak.anonymous, status(collector.pid, 'RssAnon'));
    peak.wal = Math.max(peak.wal, sizeOf(`${path}-wal`));
    peak.disk = Math.max(
      peak.disk,
      readdirSync(folder).reduce((sum, name) => sum + sizeOf(join(folder, name)), 0),
    );
  };
  let code;
  while (code === undefined) {
    look();
    code = await Promise.race([ended, sleep(100)]);
  }
  if (code !== 0) throw new Error(`collector migrate ended with ${code}`);
  return { seconds: (performance.now() - startedAt) / 1000, peak };
}

/** What must be so afterwards; throws where it is not. */
function check(path) {
  const database = openDatabase(path, { readonly: true });
  const wanted = distinctValues();
  const facts = {
    samples: database.prepare('SELECT COUNT(*) FROM samples').pluck().get(),
    values: database.prepare('SELECT COUNT(DISTINCT value) FROM samples').pluck().get(),
    sum: database.prepare('SELECT SUM(value) FROM samples').pluck().get(),
  };
  const sum = ((wanted - 1) * wanted) / 8;
  const balanced = database.prepare('SELECT balanced FROM books').pluck().get();
  const integrity = database.pragma('integrity_check', { simple: true });
  database.close();
  if (facts.samples !== wanted || facts.values !== wanted || facts.sum !== sum)
    throw new Error(`wanted ${wanted} samples with the sum ${sum}, got ${JSON.stringify(facts)}`);
  if (balanced !== 1 || integrity !== 'ok') throw new Error(`books balanced: ${balanced}, integrity: ${integrity}`);
  return facts.samples;
}

const folder = mkdtempSync(join(tmpdir(), 'bench-migrate-'));
try {
  const path = join(folder, 'metrics.db');
  fill(path);
  const before = sizeOf(path);
  await sleep(100);
  const { seconds, peak } = await migrate(folder, path);
  const result = {
    rows,
    samples: check(path),
    seconds,
    rowsPerSecond: rows / seconds,
    peakRssMB: peak.rss / MB,
    peakAnonymousMB: peak.anonymous / MB,
    databaseBeforeMB: before / MB,
    databaseAfterMB: sizeOf(path) / MB,
    peakWalMB: peak.wal / MB,
    peakFolderMB: peak.disk / MB,
  };
  if (options.json) console.log(JSON.stringify(result));
  else
    for (const [key, value] of Object.entries(result))
      console.log(`${key.padEnd(18)}${Number.isInteger(value) ? value : value.toFixed(1)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
