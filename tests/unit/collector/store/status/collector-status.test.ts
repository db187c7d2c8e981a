import { beforeEach, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';
import type { CollectorStatus } from '@thugshells/shared/state/collector-status.ts';

import { CollectorStatusTable } from '../../../../../collector/src/store/status/collector-status.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { migratedDatabase, NOW } from '../../../../support/collector/collector-parts.ts';

const folder = useTemporaryFolder();
let database: Database;
let table: CollectorStatusTable;

const status: CollectorStatus = {
  collector: 'cpu',
  status: 'failing',
  message: '/proc/stat: malformed',
  sinceMs: NOW,
  intervalMs: 10_000,
  lastScrapeMs: NOW + 20_000,
  durationMs: 1.25,
  collected: 7,
  failed: 2,
  durations: { counts: [1, 2, 0, 0, 0, 0], sum: 0.004 },
};

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  table = new CollectorStatusTable(database);
});

test('collector status: the counters of an unknown collector are zero', () => {
  expect(table.findCounters('cpu')).toEqual({
    collected: 0,
    failed: 0,
    durations: { counts: [0, 0, 0, 0, 0, 0], sum: 0 },
  });
});

test('collector status: returns the counters as they were saved', () => {
  table.save(status);
  expect(new CollectorStatusTable(database).findCounters('cpu')).toEqual({
    collected: 7,
    failed: 2,
    durations: status.durations,
  });
});

test('collector status: has one row per collector, the last one that was saved, with the columns that the uploader reads', () => {
  table.save({ ...status, status: 'ok', message: '' });
  table.save(status);
  expect(database.prepare('SELECT * FROM collector_status').all()).toEqual([
    {
      collector: 'cpu',
      status: 'failing',
      message: '/proc/stat: malformed',
      since: NOW,
      interval_ms: 10_000,
      last_scrape: NOW + 20_000,
      duration_ms: 1.25,
      collected: 7,
      failed: 2,
      durations: '{"counts":[1,2,0,0,0,0],"sum":0.004}',
    },
  ]);
});

test('collector status: deletes the rows of collectors that do not run any more, and keeps the others', () => {
  for (const collector of ['cpu', 'disk', 'load']) table.save({ ...status, collector });
  table.keepOnly(['disk', 'network']);
  expect(database.prepare('SELECT collector FROM collector_status').pluck().all()).toEqual(['disk']);
});

test('collector status: a collector that is expected gets a row once, and no row is overwritten', () => {
  const select = database.prepare('SELECT collector, status, since, interval_ms, last_scrape FROM collector_status');
  table.save(status);
  table.expect([
    { name: 'cpu', intervalMs: 1_000 },
    { name: 'disk', intervalMs: 2_000 },
  ]);
  // A transaction that is rolled back leaves them expected.
  const rollBack = database.transaction(() => {
    table.saveExpected(NOW);
    throw new Error('full');
  });
  expect(rollBack).toThrow('full');
  table.saveExpected(NOW + 1);
  table.saveExpected(NOW + 2);
  expect(select.all()).toEqual([
    { collector: 'cpu', status: 'failing', since: NOW, interval_ms: 10_000, last_scrape: NOW + 20_000 },
    { collector: 'disk', status: 'ok', since: NOW + 1, interval_ms: 2_000, last_scrape: 0 },
  ]);
  table.endExpected();
  database.exec('DELETE FROM collector_status');
  table.saveExpected(NOW);
  expect(select.all()).toEqual([]);
});
