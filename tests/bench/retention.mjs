/**
 * How long one slice keeps a scrape waiting, in a database of 100 MB that is at its cap: slices of delivered rows, of
 * rows that are thinned, and of rows that are dropped.
 *
 *   node tests/bench/retention.mjs [--megabytes 100] [--series 500] [--slices 400] [--json]
 *
 * CPU is what the slice itself takes; the time beyond it is the disk's, and that of others on this machine.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, quantile } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '100' },
    series: { type: 'string', default: '500' },
    slices: { type: 'string', default: '400' },
    json: { type: 'boolean', default: false },
  },
});
const MB = 1e6;
const BYTES_PER_ROW = 46;
const WAL_BYTES = 12 * MB;

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { Ledger } = await import('../../collector/src/store/space/ledger.ts');
const { Eviction } = await import('../../collector/src/store/space/eviction.ts');

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const folder = mkdtempSync(join(tmpdir(), 'bench-retention-'));

/** Times and CPU times of slices in milliseconds, by what they did. */
function slices(settledShare) {
  const path = join(folder, `${settledShare}.db`);
  const rows = Math.floor((Number(options.megabytes) * MB) / BYTES_PER_ROW);
  fillDatabase(path, { samples: rows, series: Number(options.series), settled: Math.floor(rows * settledShare) });
  const database = openDatabase(path);
  database.pragma(`cache_size = -2000`);
  const usedBytes = statSync(path).size * 0.02;
  const retention = new Eviction(database, {
    clock,
    epochs: { readPresent: () => ({ bootId: null, sinceBootMs: 0, storedMs: clock.now(), trustedMs: clock.now() }) },
    ledger: new Ledger(database),
    retentionMs: 1,
    usedBytes: settledShare === 1 ? usedBytes : statSync(path).size * 0.3,
  });
  const times = { settled: [], 'given up': [], 'looked at': [] };
  for (let slice = 0; slice < Number(options.slices); slice++) {
    if (statSync(`${path}-wal`).size > WAL_BYTES) database.pragma('wal_checkpoint(TRUNCATE)');
    const startedAt = performance.now();
    const cpuAt = process.cpuUsage();
    const done = retention.evict();
    const ms = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(cpuAt);
    if (done === undefined) break;
    times[done.lost > 0 ? 'given up' : done.rows > 0 ? 'settled' : 'looked at'].push({
      ms,
      cpuMs: (user + system) / 1000,
    });
  }
  database.close();
  return times;
}

try {
  const figures = [];
  for (const share of [1, 0]) {
    for (const [what, times] of Object.entries(slices(share))) {
      if (times.length === 0) continue;
      const name = `${share === 1 ? 'delivered rows' : 'pending rows'}, a slice ${what} (${times.length})`;
      for (const [which, at] of [
        ['p50', 0.5],
        ['p99', 0.99],
        ['max', 1],
      ]) {
        const reach = which === 'max' ? { reach: '50 at most' } : {};
        figures.push({
          name: `${name}, ${which}`,
          value: quantile(
            times.map(({ ms }) => ms),
            at,
          ),
          unit: 'ms',
          ...reach,
        });
        figures.push({
          name: `${name}, ${which} of CPU`,
          value: quantile(
            times.map(({ cpuMs }) => cpuMs),
            at,
          ),
          unit: 'ms',
        });
      }
    }
  }
  printFigures(`slices of deletions in a database of ${options.megabytes} MB`, figures, options.json);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
