import { copyFileSync, renameSync, rmSync } from 'node:fs';

import { beforeEach, expect, test } from '@jest/globals';

import { readDatabaseFileIds } from '@thugshells/shared/database/file-ids.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { ReplacedFiles } from '../../../../uploader/src/queue/replaced-files.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
let path: string;
let database: Database;
let clock: FakeClock;
let replaced: ReplacedFiles;

beforeEach(() => {
  path = folder.path('metrics.db');
  database = folder.keep(openDatabase(path, { create: true }));
  database.exec('CREATE TABLE rows (value)');
  clock = new FakeClock();
  replaced = new ReplacedFiles(readDatabaseFileIds(path, { withCreation: true })!, clock);
});

/** Puts a copy of the database under its name. */
function replace(): void {
  copyFileSync(path, `${path}.other`);
  renameSync(`${path}.other`, path);
}

test('replaced files: another file is never opened beside the WAL or shared memory of the one before', async () => {
  replace();
  for (const suffix of ['-wal', '-shm']) {
    await clock.advance(60_000);
    expect(replaced.findObstacle(path)).toBe('another file stands beside the WAL of the database');
    rmSync(path + suffix);
  }
  await clock.advance(60_000);
  expect(replaced.findObstacle(path)).toBeUndefined();
});

test('replaced files: another file is opened once it has stood there for 3 s', async () => {
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix);
  replace();
  expect(replaced.findObstacle(path)).toBe('its files were replaced');
  await clock.advance(2_900);
  replace();
  expect(replaced.findObstacle(path)).toBe('its files were replaced');
  await clock.advance(2_900);
  expect(replaced.findObstacle(path)).toBe('its files were replaced');
  await clock.advance(200);
  expect(replaced.findObstacle(path)).toBeUndefined();
});

test('replaced files: the same file without its WAL is opened after 10 s, when no collector has replaced it', async () => {
  rmSync(`${path}-wal`);
  expect(replaced.findObstacle(path)).toBe('its files were replaced');
  await clock.advance(9_900);
  expect(replaced.findObstacle(path)).toBe('its files were replaced');
  await clock.advance(200);
  expect(replaced.findObstacle(path)).toBeUndefined();
});

test('replaced files: the same files are opened at once', () => {
  expect(replaced.findObstacle(path)).toBeUndefined();
  rmSync(path);
  // To find no file is for the attempt to open it.
  expect(replaced.findObstacle(path)).toBeUndefined();
});

test('replaced files: a file that got the inode of a closed one is not taken for it', async () => {
  const ids = readDatabaseFileIds(path, { withCreation: true })!;
  // As it is when the kernel has given the inodes to new files.
  const older = (id: string | undefined): string => id!.replace(/^(\d+:\d+):\d+$/, '$1:1');
  const reused = { database: older(ids.database), wal: older(ids.wal), shm: older(ids.shm) };
  replaced = new ReplacedFiles(reused, clock);
  expect(replaced.findObstacle(path)).toBe('its files were replaced');
  await clock.advance(3_100);
  expect(replaced.findObstacle(path)).toBeUndefined();
});
