import { existsSync, statSync } from 'node:fs';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { migrate } from '../../../../shared/src/database/migrate.ts';
import { openDatabase, openSideFile, PAGE_SIZE, type Database } from '../../../../shared/src/database/open.ts';
import { prepareDatabase } from '../../../../shared/src/database/prepare.ts';
import { needsRebuild, rebuild, lockExclusively } from '../../../../shared/src/database/rebuild.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';
import { fingerprint } from '../../../support/old-databases.ts';

const folder = useTemporaryFolder();
let path: string;

beforeEach(() => {
  path = folder.path('metrics.db');
});

/** A database as the first versions made it: pages of 4,096 bytes, some thousand rows. */
function largePages(): Database {
  const made = openSideFile(path);
  made.pragma('page_size = 4096');
  made.exec('CREATE TABLE first (x)');
  made.close();
  const database = folder.keep(openDatabase(path));
  migrate(database);
  const insert = database.prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, 1, ?, ?)');
  database.transaction(() => {
    for (let id = 1; id <= 5_000; id++) insert.run(id, id, id / 3);
  })();
  return database;
}

function pageSize(database: Database): unknown {
  return database.pragma('page_size', { simple: true });
}

function leftovers(): string[] {
  return ['.rebuild', '.rebuild-wal', '.rebuild-shm', '.rebuild-journal'].filter((suffix) => existsSync(path + suffix));
}

describe('rebuild: a database with large pages', () => {
  test('rebuild: keeps every row in WAL mode and leaves no other file', () => {
    const old = largePages();
    expect([needsRebuild(old), pageSize(old)]).toEqual([true, 4096]);
    const before = fingerprint(old);
    expect(lockExclusively(old)).toBe(true);
    const database = folder.keep(rebuild(old, path));
    expect([needsRebuild(database), pageSize(database), database.pragma('journal_mode', { simple: true })]).toEqual([
      false,
      PAGE_SIZE,
      'wal',
    ]);
    expect(fingerprint(database)).toBe(before);
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(old.open).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test('rebuild: keeps rows that were only in the WAL, and the result can be written', () => {
    const old = largePages();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    expect(lockExclusively(old)).toBe(true);
    const database = folder.keep(rebuild(old, path));
    database.exec('INSERT INTO samples VALUES (5001, 1, 5001, 1)');
    const again = folder.keep(openDatabase(path, { readonly: true }));
    expect(again.prepare('SELECT COUNT(*) FROM samples').pluck().get()).toBe(5_001);
  });

  test('rebuild: a database that another connection has open is not changed', () => {
    const old = largePages();
    const before = fingerprint(old);
    const other = folder.keep(openDatabase(path));
    other.prepare('SELECT COUNT(*) FROM samples').get();
    old.pragma('busy_timeout = 50');
    expect(lockExclusively(old)).toBe(false);
    expect([old.open, pageSize(old), fingerprint(old), old.pragma('journal_mode', { simple: true })]).toEqual([
      true,
      4096,
      before,
      'wal',
    ]);
    other.exec('INSERT INTO samples VALUES (5001, 1, 5001, 1)');
    expect(old.prepare('SELECT COUNT(*) FROM samples').pluck().get()).toBe(5_001);
    old.exec('INSERT INTO samples VALUES (5002, 1, 5002, 1)');
    expect(other.prepare('SELECT COUNT(*) FROM samples').pluck().get()).toBe(5_002);
  });

  test('rebuild: succeeds after an interrupted attempt', () => {
    const old = largePages();
    const cutOff = openSideFile(`${path}.rebuild`);
    cutOff.exec('CREATE TABLE half (x)');
    cutOff.close();
    expect(lockExclusively(old)).toBe(true);
    const database = folder.keep(rebuild(old, path));
    expect(database.prepare('SELECT COUNT(*) FROM samples').pluck().get()).toBe(5_000);
    expect(leftovers()).toEqual([]);
  });
});

describe('prepare: other databases', () => {
  test('prepare: logs nothing for a current database', () => {
    folder.keep(prepareDatabase(path, new RecordedLog())).close();
    const log = new RecordedLog();
    folder.keep(prepareDatabase(path, log));
    expect(log.lines).toEqual([]);
  });

  test('prepare: refuses a newer database and closes it', () => {
    const database = folder.keep(prepareDatabase(path, new RecordedLog()));
    database.exec('INSERT INTO schema_version VALUES (99, 0)');
    database.close();
    expect(thrownBy(() => prepareDatabase(path, new RecordedLog()))).toMatchObject({ code: 'DATABASE_TOO_NEW' });
    // The last connection that closes removes the WAL: it stands where one was left open.
    expect(existsSync(`${path}-wal`)).toBe(false);
  });
});
