/**
 * What it costs to find and read a batch, with few and with very many rows pending: the two in turn, in one process.
 *
 *   node tests/bench/poll.mjs [--few 10000] [--many 10000000] [--batch 2500] [--rounds 400] [--json]
 *
 * What a report of health costs with so many rows is measured by sidecar.mjs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, spread } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    few: { type: 'string', default: '10000' },
    many: { type: 'string', default: '10000000' },
    batch: { type: 'string', default: '2500' },
    rounds: { type: 'string', default: '400' },
    json: { type: 'boolean', default: false },
  },
});
const batchMetrics = Number(options.batch);
const SERIES = 500;
const WARM_UP_ROUNDS = 50;

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { Backlog } = await import('../../uploader/src/queue/backlog.ts');
const { Encoder } = await import('../../uploader/src/encoding/encoder.ts');
const { RowReader } = await import('../../uploader/src/encoding/rows/row-reader.ts');
const { SettledRanges } = await import('../../uploader/src/queue/settled-ranges.ts');

const folder = mkdtempSync(join(tmpdir(), 'bench-poll-'));

const BODIES = { format: 'json-lines', chunkMetrics: 50 };

/** Creates the uploader’s modules on a database with so many pending rows. */
function poller(pending) {
  const path = join(folder, `${pending}.db`);
  fillDatabase(path, { samples: pending, series: SERIES });
  const database = openDatabase(path);
  const backlog = new Backlog(database, new SettledRanges(database));
  const reader = new RowReader(database);
  const encoder = new Encoder(reader);
  const taken = [];
  return {
    read: () => reader.inSnapshot(() => reader.firstRows(backlog.findSendable(taken), batchMetrics)).ranges,
    encode: () =>
      encoder.encode({ ranges: backlog.findSendable(taken), batchMetrics, ...BODIES, nowMs: Date.now() }).ranges,
    books: () => backlog.readBooks(),
    close: () => database.close(),
  };
}

function timed(work) {
  const startedAt = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - startedAt) / 1e6;
}

try {
  const pollers = { few: poller(Number(options.few)), many: poller(Number(options.many)) };
  const figures = [];
  for (const kind of ['read', 'encode', 'books']) {
    const times = { few: [], many: [] };
    for (let round = -WARM_UP_ROUNDS; round < Number(options.rounds); round++) {
      // In turn, and each first every other time: the machine's moods are the same for both.
      for (const which of round % 2 === 0 ? ['few', 'many'] : ['many', 'few']) {
        const ms = timed(pollers[which][kind]);
        if (round >= 0) times[which].push(ms);
      }
    }
    const what = {
      read: `find and read ${batchMetrics} rows`,
      encode: `find, read and encode ${batchMetrics} rows in chunks of 50`,
      books: 'the books',
    }[kind];
    const [few, many] = [spread(times.few), spread(times.many)];
    for (const [which, { median: value, from, to }] of Object.entries({ few, many }))
      figures.push({ name: `${what}, ${options[which]} pending`, value, unit: 'ms', from, to });
    figures.push({
      name: `${what}: many / few`,
      value: many.median / few.median,
      unit: '',
      ...(kind === 'read' ? { reach: '0.8 to 1.2' } : {}),
    });
  }
  for (const each of Object.values(pollers)) each.close();
  printFigures(
    `a poll with ${options.few} and with ${options.many} rows pending, medians of ${options.rounds}`,
    figures,
    options.json,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
