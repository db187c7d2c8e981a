import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { takeInstanceLock } from '../../../../shared/src/database/instance-lock.ts';
import { openDatabase } from '../../../../shared/src/database/open.ts';
import { endLockTaker, endLockTakers, startLockTaker } from '../../../support/lock-taker.ts';
import { mountNamespace, unmountLeftover } from '../../../support/small-file-system.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';

const folder = useTemporaryFolder();
let path: string;
let lockPath: string;

beforeEach(() => {
  path = folder.path('metrics.db');
  lockPath = `${path}.collector-lock`;
});
afterEach(endLockTakers);

function take(databasePath = path) {
  const lock = takeInstanceLock(databasePath, 'collector');
  return folder.keep({ close: () => lock.release() });
}

/** Bytes that are no database. */
const NOISE = Buffer.alloc(4096, 0xa5);
/** A database that says of itself that this version of SQLite may only read it (file format, 1.3.2). */
function makeFromTheFuture(): Buffer {
  const made = folder.path('made.db');
  const database = openDatabase(made, { create: true });
  database.exec('CREATE TABLE t (a)');
  database.pragma('journal_mode = DELETE');
  database.close();
  const bytes = readFileSync(made);
  bytes[18] = 9;
  return bytes;
}

describe('instance lock: a file that may only be read', () => {
  /** As a file that root has left is to everybody else. */
  function makeReadOnly(): void {
    writeFileSync(lockPath, '');
    chmodSync(lockPath, 0o444);
  }

  test('is an error with the command that mends it, and no lock', async () => {
    makeReadOnly();
    const { said, message, hint } = await startLockTaker(path, 'collector', { isBound: true });
    expect({ said, message }).toEqual({
      said: 'DATABASE_UNUSABLE',
      message: `cannot take the instance lock ${lockPath}: it may not be written`,
    });
    const command = /^run: (chown \S+ \S+ && chmod 664 \S+);/.exec(hint)?.[1];
    expect(spawnSync('sh', ['-c', command!]).status).toBe(0);
    const first = await startLockTaker(path, 'collector', { isBound: true });
    expect([first.said, (await startLockTaker(path, 'collector', { isBound: true })).said]).toEqual([
      'taken',
      'ANOTHER_INSTANCE',
    ]);
  });

  test('keeps a second process out as well if the first one may write it', async () => {
    take();
    chmodSync(lockPath, 0o444);
    expect((await startLockTaker(path, 'collector', { isBound: true })).said).toBe('ANOTHER_INSTANCE');
  });

  test('because of its file system is an error', async () => {
    const script =
      'mkdir -p "$0" && mount -t tmpfs tmpfs "$0" && touch "$1" && mount -o remount,ro "$0" && shift && exec "$@"';
    const own = folder.path('small/metrics.db');
    const launcher = [...mountNamespace(), 'sh', '-c', script, dirname(own), `${own}.collector-lock`];
    try {
      const { said, message } = await startLockTaker(own, 'collector', { launcher });
      expect({ said, message }).toEqual({
        said: 'DATABASE_UNUSABLE',
        message: `cannot take the instance lock ${own}.collector-lock: it may not be written`,
      });
    } finally {
      unmountLeftover(dirname(own));
    }
  });
});

describe('instance lock: a file with other content', () => {
  test.each([
    ['noise', () => NOISE],
    ['text', () => Buffer.from('not a lock\n')],
    ['a database of a later SQLite', makeFromTheFuture],
  ])('(%s) is emptied and held', async (_, content) => {
    writeFileSync(lockPath, content());
    const inode = statSync(lockPath).ino;
    take();
    expect([statSync(lockPath).size, statSync(lockPath).ino]).toEqual([0, inode]);
    expect((await startLockTaker(path)).said).toBe('ANOTHER_INSTANCE');
  });

  test('(noise) is left alone while another process holds it', async () => {
    const { child, said } = await startLockTaker(path);
    expect(said).toBe('taken');
    writeFileSync(lockPath, NOISE);
    expect(thrownBy(() => take())).toMatchObject({ code: 'ANOTHER_INSTANCE' });
    expect(readFileSync(lockPath)).toEqual(NOISE);
    await endLockTaker(child);
    take();
    expect((await startLockTaker(path)).said).toBe('ANOTHER_INSTANCE');
  });

  test('(noise) is emptied by one of many that start at once', async () => {
    writeFileSync(lockPath, NOISE);
    const takers = await Promise.all(Array.from({ length: 6 }, () => startLockTaker(path)));
    expect(takers.map(({ said }) => said).sort()).toEqual([...Array<string>(5).fill('ANOTHER_INSTANCE'), 'taken']);
  });

  test('(noise) of a file with another name is not emptied', () => {
    const other = folder.path('somebodys.txt');
    writeFileSync(other, NOISE);
    linkSync(other, lockPath);
    expect(thrownBy(() => take())).toMatchObject({ code: 'DATABASE_UNUSABLE', hint: `remove ${lockPath}` });
    expect(readFileSync(other)).toEqual(NOISE);
  });

  test.each([
    ['a byte, which SQLite takes for nothing', () => writeFileSync(lockPath, 'x')],
    ['a database', () => copyFileSync(path, lockPath)],
  ])('(%s) is held as it is', async (_, make) => {
    openDatabase(path, { create: true }).close();
    make();
    take();
    expect((await startLockTaker(path)).said).toBe('ANOTHER_INSTANCE');
  });
});

describe('instance lock: what is no file of its own', () => {
  const cases: [what: string, make: () => void, reason: string][] = [
    ['a folder', () => mkdirSync(lockPath), 'it is not a regular file'],
    ['a link to nothing', () => symlinkSync(folder.path('nothing'), lockPath), 'it is not a regular file'],
    ['a link to the database', () => symlinkSync(path, lockPath), 'it is not a regular file'],
    ['a link to a device', () => symlinkSync('/dev/full', lockPath), 'it is not a regular file'],
    ['a FIFO', () => spawnSync('mkfifo', [lockPath]), 'it is not a regular file'],
    ['another name of the database', () => linkSync(path, lockPath), 'it is the same file as'],
    ['another name of its WAL', () => linkSync(`${path}-wal`, lockPath), 'it is the same file as'],
    ['another name of the other lock', () => linkSync(`${path}.uploader-lock`, lockPath), 'it is the same file as'],
  ];
  test.each(cases)('(%s) is an error that names it', (_, make, reason) => {
    const database = folder.keep(openDatabase(path, { create: true }));
    database.exec('CREATE TABLE t (a)');
    takeInstanceLock(path, 'uploader').release();
    make();
    const error = thrownBy(() => take()) as Error;
    expect(error).toMatchObject({ code: 'DATABASE_UNUSABLE', hint: `remove ${lockPath}` });
    expect(error.message).toContain(`cannot take the instance lock ${lockPath}: ${reason}`);
    expect(existsSync(folder.path('nothing'))).toBe(false);
    expect(database.prepare('SELECT COUNT(*) FROM t').pluck().get()).toBe(0);
  });

  test('of a database that has two paths there is one lock', async () => {
    openDatabase(path, { create: true }).close();
    symlinkSync(path, folder.path('link.db'));
    symlinkSync(dirname(path), folder.path('folder'));
    take(folder.path('link.db'));
    for (const other of [path, folder.path('folder/metrics.db'), folder.path('folder/link.db')])
      expect([other, (await startLockTaker(other)).said]).toEqual([other, 'ANOTHER_INSTANCE']);
  });
});
