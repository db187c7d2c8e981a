import { describe, expect, test } from '@jest/globals';

import { migrate } from '../../../../shared/src/database/migrate.ts';
import { openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '../../../../shared/src/database/schema-version.ts';
import { dedupKey, seriesKey } from '../../../../shared/src/metrics/sample.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';
import { fingerprint, toVersionTwo, versionOne } from '../../../support/old-databases.ts';

const START = 1_700_000_000_000;
const folder = useTemporaryFolder();

function empty(): Database {
  return folder.keep(openDatabase(folder.path('metrics.db'), { create: true }));
}

function first(): Database {
  return folder.keep(versionOne(folder.path('metrics.db')));
}

function tablesOf(database: Database): string[] {
  return database
    .prepare<[], string>(
      `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    )
    .pluck()
    .all();
}

/** `rows` different values, and the first `repeated` of them once more; every third has no device. */
function fill(database: Database, { rows, repeated }: { rows: number; repeated: number }): void {
  const insert = database.prepare(
    'INSERT INTO metrics (timestamp_ms, metric_name, metric_value, device_id) VALUES (?, ?, ?, ?)',
  );
  database.transaction(() => {
    for (let index = 0; index < rows + repeated; index++) {
      const row = index % rows;
      const name = ['cpu.temperature', 'memory.used', 'srt.packet_loss'][row % 3]!;
      insert.run(START + Math.floor(row / 3) * 1000, name, row / 4, row % 3 === 0 ? null : 'belabox-001');
    }
  })();
}

describe('migrate: from each version to the newest', () => {
  test('migrate: an empty database gets the tables, the view and a record of each version (A-3)', () => {
    const database = empty();
    expect(migrate(database)).toEqual({ from: 0, to: SCHEMA_VERSION });
    expect(tablesOf(database)).toEqual([
      'books',
      'books_copy',
      'boots',
      'clock_epochs',
      'collector_state',
      'collector_status',
      'epochs',
      'journal',
      'losses',
      'metric_families',
      'metrics',
      'pending_ranges',
      'provisional',
      'receiver_clock',
      'rejected',
      'salvage',
      'samples',
      'schema_version',
      'series',
      'series_copy',
      'series_starts',
      'sessions',
      'settled',
      'storage_state',
      'thinning',
      'upload_checkpoints',
      'uploader_state',
      'verified_ranges',
      'verified_total',
    ]);
    expect(database.prepare('SELECT version FROM schema_version').pluck().all()).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ]);
    expect(database.prepare('SELECT last_id, collected, dropped FROM collector_state').get()).toEqual({
      last_id: 0,
      collected: 0,
      dropped: 0,
    });
    expect(database.prepare('SELECT delivered, rejected FROM uploader_state').all()).toEqual([
      { delivered: 0, rejected: 0 },
    ]);
  });

  test('migrate: SCHEMA_VERSION is the number of the last migration', () => {
    const database = empty();
    expect(migrate(database).to).toBe(SCHEMA_VERSION);
  });

  test('migrate: a first database without a record of its version has version 1', () => {
    const database = first();
    fill(database, { rows: 9, repeated: 0 });
    expect(migrate(database)).toEqual({ from: 1, to: SCHEMA_VERSION });
    expect(database.prepare('SELECT COUNT(*) FROM metrics').pluck().get()).toBe(9);
  });

  test('migrate: a first database with a record of its version keeps it', () => {
    const database = first();
    database.exec('CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)');
    database.exec('INSERT INTO schema_version VALUES (1, 12345)');
    fill(database, { rows: 9, repeated: 0 });
    expect(migrate(database)).toEqual({ from: 1, to: SCHEMA_VERSION });
    expect(database.prepare('SELECT applied_at FROM schema_version WHERE version = 1').pluck().get()).toBe(12345);
    expect(database.prepare('SELECT COUNT(*) FROM metrics').pluck().get()).toBe(9);
  });

  test('migrate: version 2 gives every row the key that dedupKey() gives, and keeps the first of equal rows (A-1)', () => {
    const database = first();
    fill(database, { rows: 3_000, repeated: 500 });
    toVersionTwo(database);
    expect(schemaVersion(database)).toBe(2);
    const rows = database.prepare('SELECT * FROM metrics ORDER BY id').all() as Record<string, never>[];
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 3_000 }, (_, index) => index + 1));
    for (const row of rows) {
      expect(row['dedup_key']).toBe(
        dedupKey({
          name: row['metric_name']!,
          timestampMs: row['timestamp_ms']!,
          deviceId: row['device_id'] ?? '',
          tags: {},
          valueType: 0,
        }),
      );
    }
    expect(rows[0]).toMatchObject({ uploaded: 0, priority: 1, value_type: 0, tags: null, session_id: null });
    expect(migrate(database)).toEqual({ from: 2, to: SCHEMA_VERSION });
  });

  test('migrate: 100,000 first rows with duplicates are kept once each, under the key of their time and series (A-2)', () => {
    const database = first();
    fill(database, { rows: 90_000, repeated: 10_000 });
    migrate(database);
    const rows = database
      .prepare<[], [number, number, string, string, number, string]>(
        'SELECT id, timestamp_ms, metric_name, device_id, metric_value, dedup_key FROM metrics ORDER BY id',
      )
      .raw()
      .all();
    expect(rows).toHaveLength(90_000);
    const wrong = rows.filter(([id, timestampMs, name, device, value, key]) => {
      const series = seriesKey(name, device, '{}', 0).toString('hex').slice(0, 52);
      return value !== (id - 1) / 4 || key !== timestampMs.toString(16).padStart(12, '0') + series;
    });
    expect(wrong).toEqual([]);
    expect(new Set(rows.map((row) => row[5])).size).toBe(90_000);
    expect(database.prepare('SELECT name, device_id FROM series ORDER BY name').raw().all()).toEqual([
      ['cpu.temperature', ''],
      ['memory.used', 'belabox-001'],
      ['srt.packet_loss', 'belabox-001'],
    ]);
    // The ids of the duplicates that went are not given again.
    expect(database.prepare('SELECT last_id, collected FROM collector_state').get()).toEqual({
      last_id: 100_000,
      collected: 90_000,
    });
  });
});

describe('migrate: a second run', () => {
  test.each(['empty', 'first'])('migrate: a second run changes nothing in a database that was %s', (kind) => {
    const database = kind === 'empty' ? empty() : first();
    if (kind === 'first') fill(database, { rows: 30, repeated: 7 });
    migrate(database);
    const before = fingerprint(database);
    expect(migrate(database)).toEqual({ from: SCHEMA_VERSION, to: SCHEMA_VERSION });
    expect(fingerprint(database)).toBe(before);
  });
});

describe('migrate: a failure', () => {
  test('migrate: a failure leaves the version before it and names file and statement (A-4)', () => {
    const database = first();
    fill(database, { rows: 30, repeated: 3 });
    const error = toVersionTwo(database);
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED', cause: { code: 'SQLITE_ERROR' } });
    expect((error as Error).message).toMatch(
      /^cannot apply migration 0003-series-and-samples\.sql: .*series already exists in: CREATE TABLE series \(/s,
    );
    expect(schemaVersion(database)).toBe(2);
    expect(tablesOf(database)).toEqual(['metrics', 'schema_version', 'sessions', 'upload_checkpoints']);
    expect(database.prepare('SELECT COUNT(*) FROM metrics').pluck().get()).toBe(30);
  });

  test('migrate: a failure leaves a first database and its record of versions unchanged', () => {
    const database = first();
    fill(database, { rows: 30, repeated: 3 });
    database.exec('CREATE TABLE sessions (in_the_way)');
    const before = fingerprint(database);
    expect(thrownBy(() => migrate(database))).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('0002-uploads.sql'),
    });
    expect(fingerprint(database)).toBe(before);
    expect(schemaVersion(database)).toBe(1);
  });

  test('migrate: succeeds once the cause of a failure is gone', () => {
    const database = first();
    fill(database, { rows: 30, repeated: 3 });
    toVersionTwo(database);
    expect(migrate(database)).toEqual({ from: 2, to: SCHEMA_VERSION });
    expect(database.prepare('SELECT COUNT(*) FROM metrics').pluck().get()).toBe(30);
  });
});

describe('migrate: a newer database', () => {
  test('migrate: refuses a newer database, names both versions and changes nothing (A-5)', () => {
    const database = empty();
    migrate(database);
    database.exec(`INSERT INTO schema_version VALUES (${SCHEMA_VERSION + 1}, 0)`);
    const before = fingerprint(database);
    expect(thrownBy(() => migrate(database))).toMatchObject({
      code: 'DATABASE_TOO_NEW',
      message: `cannot use the database: it has schema version ${SCHEMA_VERSION + 1}, this program knows versions up to ${SCHEMA_VERSION}`,
    });
    expect(fingerprint(database)).toBe(before);
  });
});
