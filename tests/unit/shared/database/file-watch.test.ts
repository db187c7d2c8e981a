import { once } from 'node:events';
import { copyFileSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { FileWatch } from '@thugshells/shared/database/file-watch.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
let path: string;
let database: Database;
let watch: FileWatch;

beforeEach(() => {
  path = folder.path('metrics.db');
  database = folder.keep(openDatabase(path, { create: true }));
  database.exec('CREATE TABLE rows (value)');
  watch = new FileWatch(path, database);
});

function write(rows: number): void {
  for (let count = 0; count < rows; count++) database.exec('INSERT INTO rows VALUES (1)');
}

describe('file watch: files that are taken away', () => {
  test.each([
    ['the database', ['']],
    ['the WAL', ['-wal']],
    ['the shared memory', ['-shm']],
    ['all three', ['', '-wal', '-shm']],
  ])('finds that %s is removed', (_, suffixes) => {
    for (const suffix of suffixes) rmSync(path + suffix);
    expect(watch.look()).toEqual({ kind: 'taken away', suffixes });
  });

  test('finds that another file has the name of the database, also one of the same content', () => {
    copyFileSync(path, `${path}.other`);
    renameSync(`${path}.other`, path);
    expect(watch.look()).toEqual({ kind: 'taken away', suffixes: [''] });
  });

  test('finds nothing once the database has its name again', () => {
    renameSync(path, `${path}.other`);
    renameSync(`${path}.other`, path);
    expect(watch.look()).toBeUndefined();
  });
});

describe('file watch: files that are written to', () => {
  test('finds nothing in commits, in WAL checkpoints of its process, and in those of another program', () => {
    const other = folder.keep(openDatabase(path));
    for (const mode of ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']) {
      write(5);
      expect(watch.look()).toBeUndefined();
      other.pragma(`wal_checkpoint(${mode})`);
      expect(watch.look()).toBeUndefined();
    }
    write(5);
    watch.whileWriting(() => database.pragma('wal_checkpoint(TRUNCATE)'));
    expect(watch.look()).toBeUndefined();
  });

  test.each<[string, () => void]>([
    ['is overwritten', () => writeFileSync(path, 'no database')],
    ['is emptied', () => truncateSync(path)],
    ['has another time', () => utimesSync(path, 1, 1)],
  ])('finds once that the database file %s', (_, change) => {
    write(5);
    expect(watch.look()).toBeUndefined();
    change();
    expect([watch.look(), watch.look()]).toEqual([{ kind: 'written to' }, undefined]);
    expect([watch.isCheckpointed(), watch.isCheckpointed()]).toEqual([false, false]);
  });

  test('explains what it finds while another program checkpoints the WAL, once that has finished', async () => {
    const checkpoints = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const database = new (require('better-sqlite3'))(workerData);
       database.pragma('wal_autocheckpoint = 0');
       database.exec('INSERT INTO rows VALUES (zeroblob(20000000))');
       parentPort.on('message', () => {
         database.pragma('wal_checkpoint(PASSIVE)');
         parentPort.close();
       });
       parentPort.postMessage('filled');`,
      { eval: true, workerData: path },
    );
    await once(checkpoints, 'message');
    expect(watch.look()).toBeUndefined();
    checkpoints.postMessage('checkpoint');
    const found = new Set<string | undefined>();
    while (!found.has('written to')) {
      found.add(watch.look()?.kind);
      await setImmediate();
    }
    await once(checkpoints, 'exit');
    watch.look();
    expect(found).toEqual(new Set([undefined, 'written to']));
    expect(watch.isCheckpointed()).toBe(true);
  });

  test('finds what was written before a WAL checkpoint of its own process', () => {
    write(5);
    utimesSync(path, 1, 1);
    watch.whileWriting(() => database.pragma('wal_checkpoint(TRUNCATE)'));
    expect([watch.look(), watch.look()]).toEqual([{ kind: 'written to' }, undefined]);
    expect(watch.isCheckpointed()).toBe(false);
  });

  test('finds once that the WAL is cut', () => {
    write(5);
    truncateSync(`${path}-wal`, 100);
    expect([watch.look(), watch.look()]).toEqual([{ kind: 'WAL cut' }, undefined]);
  });
});
