import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import { isBusy, openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';

const folder = useTemporaryFolder();

function create(): Database {
  return folder.keep(openDatabase(folder.path('metrics.db'), { create: true }));
}

function pragmas(database: Database): Record<string, unknown> {
  const settings = 'journal_mode synchronous busy_timeout page_size cache_size wal_autocheckpoint auto_vacuum';
  const names = settings.split(' ');
  return Object.fromEntries(names.map((name) => [name, database.pragma(name, { simple: true })]));
}

/** How many descriptors of this process point at the database. */
function openFiles(): number {
  const links = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      // The descriptor that listed the directory is gone by now.
      return '';
    }
  });
  return links.filter((link) => link === folder.path('metrics.db')).length;
}

describe('open database: the collector’s', () => {
  test('open: creates file and folder with WAL, synchronous NORMAL, a busy timeout of 100 ms, small pages', () => {
    const database = folder.keep(openDatabase(folder.path('state/deeper/metrics.db'), { create: true }));
    database.exec('CREATE TABLE t (x)');
    expect(pragmas(database)).toEqual({
      journal_mode: 'wal',
      synchronous: 1,
      busy_timeout: 100,
      page_size: 512,
      cache_size: -2_000,
      wal_autocheckpoint: 0,
      auto_vacuum: 0,
    });
  });

  test('open: the group may write database and WAL if the umask allows it', () => {
    const umask = process.umask(0o007);
    try {
      create().exec('CREATE TABLE t (a)');
      const modes = ['metrics.db', 'metrics.db-wal', 'metrics.db-shm'].map(
        (file) => statSync(folder.path(file)).mode & 0o777,
      );
      expect(modes).toEqual([0o660, 0o660, 0o660]);
    } finally {
      process.umask(umask);
    }
  });

  test('open: applies the same settings to an existing database', () => {
    create().exec('CREATE TABLE t (x)');
    expect(pragmas(folder.keep(openDatabase(folder.path('metrics.db'))))).toMatchObject({
      journal_mode: 'wal',
      synchronous: 1,
      busy_timeout: 100,
      page_size: 512,
      wal_autocheckpoint: 0,
    });
  });

  test('open: a read-only connection cannot write', () => {
    create().exec('CREATE TABLE t (x)');
    const reader = folder.keep(openDatabase(folder.path('metrics.db'), { readonly: true }));
    expect(pragmas(reader)).toMatchObject({ journal_mode: 'wal', busy_timeout: 100 });
    expect(() => reader.exec('INSERT INTO t VALUES (1)')).toThrow(/readonly/);
  });
});

describe('open database: a missing one', () => {
  test('open: does not create a database without the option, and the hint names the collector', () => {
    const error = thrownBy(() => openDatabase(folder.path('metrics.db')));
    expect(error).toMatchObject({
      code: 'DATABASE_MISSING',
      message: expect.stringContaining(folder.path('metrics.db')),
      hint: expect.stringContaining('start the collector'),
    });
    expect(existsSync(folder.path('metrics.db'))).toBe(false);
  });

  test('open: creates the folders of a database that it creates', () => {
    folder.keep(openDatabase(folder.path('a/b/metrics.db'), { create: true })).exec('CREATE TABLE t (a)');
    expect(existsSync(folder.path('a/b/metrics.db'))).toBe(true);
  });

  test('open: a missing folder is a missing database', () => {
    expect(thrownBy(() => openDatabase(folder.path('nowhere/metrics.db')))).toMatchObject({
      code: 'DATABASE_MISSING',
      hint: expect.stringContaining('start the collector'),
    });
    expect(existsSync(folder.path('nowhere'))).toBe(false);
  });
});

describe('open database: not a database', () => {
  test.each([{}, { create: true }, { readonly: true }])(
    'is refused with %p, named, left as it is and not left open',
    (options) => {
      writeFileSync(
        folder.path('metrics.db'),
        'this is a text, and it is long enough to be looked at as a header\n'.repeat(50),
      );
      const error = thrownBy(() => openDatabase(folder.path('metrics.db'), options));
      expect(error).toMatchObject({
        code: 'DATABASE_UNUSABLE',
        message: expect.stringContaining('file is not a database'),
      });
      expect(readFileSync(folder.path('metrics.db'), 'utf8')).toContain('this is a text');
      expect(openFiles()).toBe(0);
    },
  );

  test('open: refuses a folder, and a path with a file among its folders', () => {
    const isFolder = {
      code: 'DATABASE_UNUSABLE',
      hint: expect.stringContaining('to the database file, not to a folder'),
    };
    expect(thrownBy(() => openDatabase(folder.path('.'), { create: true }))).toMatchObject(isFolder);
    writeFileSync(folder.path('file'), '');
    const isNoFolder = {
      code: 'DATABASE_UNUSABLE',
      hint: `check THUGSHELLS_DB_PATH: ${folder.path('file')} is not a folder`,
    };
    expect(thrownBy(() => openDatabase(folder.path('file/metrics.db'), { create: true }))).toMatchObject(isNoFolder);
  });
});

test('open: isBusy() is true for the lock of another connection only', () => {
  create().exec('CREATE TABLE t (x)');
  const first = folder.keep(openDatabase(folder.path('metrics.db')));
  const second = folder.keep(openDatabase(folder.path('metrics.db')));
  second.pragma('busy_timeout = 0');
  first.exec('BEGIN IMMEDIATE');
  expect(isBusy(thrownBy(() => second.exec('BEGIN IMMEDIATE')))).toBe(true);
  expect(isBusy(thrownBy(() => second.exec('SELECT * FROM missing')))).toBe(false);
  expect(isBusy(undefined)).toBe(false);
});
