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
  const names = ['journal_mode', 'synchronous', 'busy_timeout', 'page_size', 'wal_autocheckpoint', 'auto_vacuum'];
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

describe('the collector’s database', () => {
  test('is made with its folder: WAL, synchronous NORMAL, a busy timeout of 5 s, small pages', () => {
    const database = folder.keep(openDatabase(folder.path('state/deeper/metrics.db'), { create: true }));
    database.exec('CREATE TABLE t (x)');
    expect(pragmas(database)).toEqual({
      journal_mode: 'wal',
      synchronous: 1,
      busy_timeout: 5_000,
      page_size: 1_024,
      wal_autocheckpoint: 0,
      auto_vacuum: 0,
    });
  });

  test('is the group’s to write, WAL and all, where the umask allows it', () => {
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

  test('opened again has the same settings', () => {
    create().exec('CREATE TABLE t (x)');
    expect(pragmas(folder.keep(openDatabase(folder.path('metrics.db'))))).toMatchObject({
      journal_mode: 'wal',
      synchronous: 1,
      busy_timeout: 5_000,
      page_size: 1_024,
      wal_autocheckpoint: 0,
    });
  });

  test('opened by a reader cannot be written', () => {
    create().exec('CREATE TABLE t (x)');
    const reader = folder.keep(openDatabase(folder.path('metrics.db'), { readonly: true }));
    expect(pragmas(reader)).toMatchObject({ journal_mode: 'wal', busy_timeout: 5_000 });
    expect(() => reader.exec('INSERT INTO t VALUES (1)')).toThrow(/readonly/);
  });
});

describe('a database that is not there', () => {
  test('is not made by who does not say so, and the hint names the collector', () => {
    const error = thrownBy(() => openDatabase(folder.path('metrics.db')));
    expect(error).toMatchObject({
      code: 'DATABASE_MISSING',
      message: expect.stringContaining(folder.path('metrics.db')),
      hint: expect.stringContaining('start the collector'),
    });
    expect(existsSync(folder.path('metrics.db'))).toBe(false);
  });

  test('is missing too where its folder is', () => {
    expect(thrownBy(() => openDatabase(folder.path('nowhere/metrics.db')))).toMatchObject({
      code: 'DATABASE_MISSING',
      hint: expect.stringContaining('start the collector'),
    });
    expect(existsSync(folder.path('nowhere'))).toBe(false);
  });
});

describe('a file that is no database', () => {
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

  test('is refused where it is a folder, or where a file stands in the way of its folder', () => {
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

test('busy is what SQLite says of a lock that another connection holds, and nothing else', () => {
  create().exec('CREATE TABLE t (x)');
  const first = folder.keep(openDatabase(folder.path('metrics.db')));
  const second = folder.keep(openDatabase(folder.path('metrics.db')));
  second.pragma('busy_timeout = 0');
  first.exec('BEGIN IMMEDIATE');
  expect(isBusy(thrownBy(() => second.exec('BEGIN IMMEDIATE')))).toBe(true);
  expect(isBusy(thrownBy(() => second.exec('SELECT * FROM missing')))).toBe(false);
  expect(isBusy(undefined)).toBe(false);
});
