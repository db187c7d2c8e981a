import { linkSync, symlinkSync, writeFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { closeRawFile, openRawFile, readRawFile } from '../../../../shared/src/database/database-files.ts';
import { openForeignFile, readForeignFileSync } from '../../../../shared/src/database/foreign-files.ts';
import { openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { findHeldLocks } from '../../../support/held-locks.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';

const folder = useTemporaryFolder();

function openWithRows(name = 'metrics.db'): Database {
  const database = folder.keep(openDatabase(folder.path(name), { create: true }));
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY); INSERT INTO rows VALUES (1)');
  return database;
}

const findLocks = (name = 'metrics.db'): string[][] =>
  [name, `${name}-shm`].map((each) => findHeldLocks(folder.path(each)));

test('foreign files: one that links to a database is refused before it is opened, whoever asks', async () => {
  openWithRows();
  const before = findLocks();
  symlinkSync(folder.path('metrics.db'), folder.path('token'));
  linkSync(folder.path('metrics.db-shm'), folder.path('ca.pem'));
  const message = `it is a file of the database ${folder.path('metrics.db')}`;
  await expect(openForeignFile(folder.path('token'))).rejects.toMatchObject({ code: 'DATABASE_FILE', message });
  expect(thrownBy(() => readForeignFileSync(folder.path('ca.pem')))).toMatchObject({ code: 'DATABASE_FILE', message });
  expect(before.flat()).toHaveLength(2);
  expect(findLocks()).toEqual(before);
});

test('foreign files: a database that is reached by a link is known by its own folder too', async () => {
  symlinkSync(folder.path('disk.db'), folder.path('metrics.db'));
  writeFileSync(folder.path('disk.db'), '');
  openWithRows();
  const before = findLocks('disk.db');
  linkSync(folder.path('disk.db-shm'), folder.path('token'));
  await expect(openForeignFile(folder.path('token'))).rejects.toMatchObject({ code: 'DATABASE_FILE' });
  expect(before.flat()).toHaveLength(2);
  expect(findLocks('disk.db')).toEqual(before);
});

test('foreign files: an error names the file, and no descriptor', async () => {
  await expect(openForeignFile(folder.path('none'))).rejects.toThrow(`open '${folder.path('none')}'`);
  expect(String(thrownBy(() => readForeignFileSync(folder.path('none'))))).toContain(folder.path('none'));
  expect(String(thrownBy(() => readForeignFileSync(folder.path('.'))))).not.toContain('/proc/self');
});

test('raw reads: locks of another connection stand, and the descriptor is closed once that is closed', () => {
  const database = openWithRows();
  const before = findLocks();
  for (let times = 0; times < 3; times++)
    for (const file of ['metrics.db', 'metrics.db-shm', 'metrics.db-wal']) closeRawFile(openRawFile(folder.path(file)));
  expect(before.flat()).toHaveLength(2);
  expect(findLocks()).toEqual(before);
  const kept = openRawFile(folder.path('metrics.db'));
  closeRawFile(kept);
  // The same one: many reads of a database that is in use must not use up the descriptors.
  expect(openRawFile(folder.path('metrics.db'))).toBe(kept);
  closeRawFile(kept);
  database.close();
  writeFileSync(folder.path('note'), 'text');
  expect(readRawFile(folder.path('note'))).toBe('text');
  expect(readRawFile('/proc/self/fdinfo/0')).toContain('flags');
  expect(thrownBy(() => closeRawFile(kept))).toMatchObject({ code: 'EBADF' });
});
