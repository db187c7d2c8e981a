import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { describe, expect, test } from '@jest/globals';

import { MigrationProgress } from '../../../../shared/src/database/migration-progress.ts';
import { migrate, type MigrationObserver } from '../../../../shared/src/database/migrate.ts';
import { openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '../../../../shared/src/database/schema-version.ts';
import type { ServiceState } from '../../../../shared/src/process/systemd.ts';
import { until } from '../../../support/until.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';
import { fingerprint, toVersionTwo, versionOne } from '../../../support/old-databases.ts';

const START = 1_700_000_000_000;
const folder = useTemporaryFolder();

/** A first database with one value a second, and each tenth once more. */
function filled(rows: number): Database {
  const database = folder.keep(versionOne(folder.path('metrics.db')));
  const insert = database.prepare(
    'INSERT INTO metrics (timestamp_ms, metric_name, metric_value, device_id) VALUES (?, ?, ?, ?)',
  );
  database.transaction(() => {
    for (let row = 0; row < rows; row++) {
      const value = row - Math.floor((row + 1) / 10);
      insert.run(START + value * 1000, 'load.average_1m', value, 'board');
    }
  })();
  return database;
}

/** Keeps what a migration tells. */
class RecordedWatch implements MigrationObserver {
  readonly told: ({ readonly ms: number } | { readonly share: number; readonly migration: string })[] = [];

  expect(ms: number): void {
    this.told.push({ ms });
  }

  reach(share: number, migration: string): void {
    this.told.push({ share, migration });
  }
}

describe('migration in slices: many rows', () => {
  test('migration: reports shares that grow from 0 to 1 over all migrations', () => {
    const watch = new RecordedWatch();
    migrate(filled(50_000), watch);
    const reached = watch.told.flatMap((each) => ('share' in each ? [each] : []));
    const shares = reached.map(({ share }) => share);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBeCloseTo(1, 9);
    expect([...new Set(reached.map(({ migration }) => Number(migration.slice(0, 4))))]).toEqual(
      Array.from({ length: SCHEMA_VERSION - 1 }, (_, index) => index + 2),
    );
    // Slices of 20,000 ids: none of the long statements runs in one piece.
    expect(new Set(shares.map((share) => share.toFixed(6))).size).toBeGreaterThan(20);
  });

  test('migration: reports the maximum duration before each step', () => {
    const watch = new RecordedWatch();
    migrate(filled(50_000), watch);
    const firstShare = watch.told.findIndex((each) => 'share' in each);
    expect(watch.told.slice(0, firstShare).every((each) => 'ms' in each && each.ms >= 60_000)).toBe(true);
    const expected = watch.told.flatMap((each) => ('ms' in each ? [each.ms] : []));
    // A slice gets a minute, what runs in one piece more, by the size of the database, and the wait for the lock ten.
    // Six statements over the rows, three slices each.
    expect(expected.filter((ms) => ms === 60_000)).toHaveLength(18);
    expect(expected.filter((ms) => ms > 65_000 && ms < 600_000).length).toBeGreaterThan(10);
    expect(expected.filter((ms) => ms > 600_000)).toHaveLength(SCHEMA_VERSION - 1);
  });

  test('migration: keeps every value once, under its first id', () => {
    const database = filled(50_000);
    migrate(database);
    expect(database.prepare('SELECT COUNT(*), COUNT(DISTINCT value), SUM(value) FROM samples').raw().get()).toEqual([
      45_000,
      45_000,
      (44_999 * 45_000) / 2,
    ]);
    expect(database.prepare('SELECT MIN(id), MAX(id) FROM samples').raw().get()).toEqual([1, 49_999]);
  });

  test('migration: a failure between two slices changes nothing and names statement, ids and cause', () => {
    const database = filled(50_000);
    database.exec(
      `CREATE TRIGGER in_the_way BEFORE UPDATE ON metrics WHEN NEW.id = 30000 BEGIN SELECT RAISE(ABORT, 'row 30000 is odd'); END`,
    );
    const before = fingerprint(database);
    const error = thrownBy(() => migrate(database)) as Error;
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(error.message).toMatch(
      /^cannot apply migration 0002-uploads\.sql: .*row 30000 is odd in \(ids 20001 to 40000\): UPDATE metrics SET dedup_key/,
    );
    expect(fingerprint(database)).toBe(before);
    expect(schemaVersion(database)).toBe(1);
  });
});

test('migration: skips ids that no row has, however many', () => {
  const database = filled(10);
  database.exec(`INSERT INTO metrics VALUES (4000000000000, ${START}, 'load.average_5m', 1, 'board')`);
  const watch = new RecordedWatch();
  migrate(database, watch);
  expect(database.prepare('SELECT COUNT(*), MAX(id) FROM samples').raw().get()).toEqual([10, 4_000_000_000_000]);
  expect(database.prepare('SELECT last_id FROM collector_state').pluck().get()).toBe(4_000_000_000_000);
  expect(watch.told.length).toBeLessThan(300);
});

test('migration: version 2 has the columns, tables and indexes of the plan', () => {
  const database = filled(10);
  toVersionTwo(database);
  const columns = (table: string): unknown =>
    database.prepare(`SELECT name FROM pragma_table_info(?) ORDER BY cid`).pluck().all(table);
  expect(columns('metrics')).toEqual([
    'id',
    'timestamp_ms',
    'metric_name',
    'metric_value',
    'device_id',
    'value_text',
    'value_type',
    'tags',
    'session_id',
    'uploaded',
    'priority',
    'dedup_key',
  ]);
  expect(columns('sessions')).toEqual(['id', 'start_time', 'end_time', 'status', 'metadata']);
  expect(columns('upload_checkpoints')).toEqual([
    'id',
    'batch_id',
    'chunk_index',
    'uploaded_at',
    'metric_count',
    'success',
  ]);
  expect(database.prepare(`SELECT name, "unique" FROM pragma_index_list('metrics') ORDER BY name`).raw().all()).toEqual(
    [
      ['idx_dedup_key', 1],
      ['idx_device_time', 0],
      ['idx_name_time', 0],
      ['idx_timestamp', 0],
      ['idx_uploaded', 0],
    ],
  );
  expect(
    thrownBy(() =>
      database.exec(
        'INSERT INTO metrics SELECT 99, timestamp_ms, metric_name, metric_value, device_id, value_text, value_type, tags, session_id, uploaded, priority, dedup_key FROM metrics WHERE id = 1',
      ),
    ),
  ).toMatchObject({
    code: 'SQLITE_CONSTRAINT_UNIQUE',
  });
});

test('migration: of two processes at once one migrates and both find it done', async () => {
  filled(40_000).close();
  const children = [0, 1].map(() => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '../../../support/migrate-now.mjs'), folder.path('metrics.db')],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const lines: string[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    return { child, lines, ended: once(child, 'exit') };
  });
  await until('both are there', () => children.every(({ lines }) => lines.length === 1));
  for (const { child } of children) child.stdin.end('go\n');
  expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([
    [0, null],
    [0, null],
  ]);
  // Both saw version 1, or one came when the other had begun; nothing was done twice.
  for (const { lines } of children) expect(lines[1]).toMatch(new RegExp(`^\\d to ${SCHEMA_VERSION}$`));
  const database = folder.keep(openDatabase(folder.path('metrics.db')));
  expect(database.prepare('SELECT COUNT(*), COUNT(DISTINCT value) FROM samples').raw().get()).toEqual([36_000, 36_000]);
  expect(database.prepare('SELECT balanced FROM books').pluck().get()).toBe(1);
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
});

describe('migration progress', () => {
  test('migration progress: logs a percentage at most every five seconds and extends systemd’s timeout before each step', () => {
    const log = new RecordedLog();
    const states: ServiceState[] = [];
    let now = 1_000;
    const progress = new MigrationProgress({
      logger: log,
      notify: (state) => void states.push(state),
      monotonic: () => now,
    });
    progress.expect(65_000);
    for (const [at, share] of [
      [1_100, 0.1],
      [5_900, 0.2],
      [6_000, 0.345],
      [7_000, 0.4],
      [10_900, 0.5],
      [11_000, 0.999],
    ] as const) {
      now = at;
      progress.reach(share, '0002-uploads.sql');
    }
    expect(log.lines).toEqual([
      {
        level: 'info',
        message: 'migrating database',
        fields: { percent: 34, migration: '0002-uploads.sql', duration_ms: 5_000 },
      },
      {
        level: 'info',
        message: 'migrating database',
        fields: { percent: 99, migration: '0002-uploads.sql', duration_ms: 10_000 },
      },
    ]);
    expect(states).toEqual([
      { extendTimeoutMs: 65_000 },
      { status: 'migrating database: 34 %' },
      { status: 'migrating database: 99 %' },
    ]);
  });
});
