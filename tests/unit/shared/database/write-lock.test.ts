import { rmSync } from 'node:fs';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { findLockHolder, isLocked, requireWriteLock } from '../../../../shared/src/database/write-lock.ts';
import { holdLock, type LockHolder } from '../../../support/lock-holder.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';

const folder = useTemporaryFolder();
let path: string;
let database: Database;
let holder: LockHolder | undefined;

beforeEach(() => {
  path = folder.path('metrics.db');
  database = openDatabase(path, { create: true });
  database.exec('CREATE TABLE t (x)');
});
afterEach(async () => {
  await holder?.release();
  holder = undefined;
  database.close();
});

test.each(['BEGIN IMMEDIATE', 'BEGIN EXCLUSIVE'])('write lock: names the process that holds %s', async (statement) => {
  holder = await holdLock(path, statement);
  const locked = `the database is locked by node (pid ${holder.pid})`;
  const startedAt = performance.now();
  expect(thrownBy(() => requireWriteLock(path, database))).toMatchObject({ code: 'DATABASE_LOCKED', message: locked });
  expect(performance.now() - startedAt).toBeLessThan(90);
  expect(thrownBy(() => requireWriteLock(path, undefined))).toMatchObject({ message: locked });
  await holder.release();
  expect(findLockHolder(path)).toBeUndefined();
  expect(() => requireWriteLock(path, database)).not.toThrow();
  expect(() => requireWriteLock(path, undefined)).not.toThrow();
});

test('write lock: a writer waits for a tenth of a second only', async () => {
  holder = await holdLock(path);
  const startedAt = performance.now();
  const error = thrownBy(() => database.exec('INSERT INTO t VALUES (1)'));
  expect([isLocked(error), performance.now() - startedAt < 500]).toEqual([true, true]);
});

test('write lock: a program that only reads holds none, and neither does the lock of another database', async () => {
  holder = await holdLock(path, 'BEGIN; SELECT * FROM t');
  expect(findLockHolder(path)).toBeUndefined();
  expect(() => requireWriteLock(path, database)).not.toThrow();
  const other = folder.path('other.db');
  openDatabase(other, { create: true }).close();
  const another = await holdLock(other);
  expect(findLockHolder(path)).toBeUndefined();
  await another.release();
});

test('write lock: a database that a program keeps to itself cannot be opened, and the error names the program', async () => {
  database.close();
  holder = await holdLock(path, 'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  rmSync(`${path}-shm`, { force: true });
  const error = thrownBy(() => openDatabase(path));
  expect(error).toMatchObject({
    code: 'DATABASE_UNUSABLE',
    message: `cannot open the database ${path}: the database is locked by node (pid ${holder.pid})`,
    hint: 'end that program or its transaction',
  });
  expect(isLocked(error)).toBe(true);
});

test('write lock: without a process in /proc/locks the error says that it is not shown', () => {
  const other = openDatabase(path);
  other.exec('BEGIN IMMEDIATE');
  // The kernel shows the lock as one of this process, which cannot be the one to end.
  expect(thrownBy(() => requireWriteLock(path, database))).toMatchObject({
    message: 'the database is locked by a process that /proc/locks does not show',
  });
  other.close();
});
