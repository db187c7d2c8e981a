// Longer than a test should be: each way to take the files of a database away is followed to the restored one.
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { readDatabaseFileIds } from '@thugshells/shared/database/file-ids.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { DatabaseMove, finishInterruptedDatabaseMove } from '../../../../collector/src/store/recovery/database-move.ts';
import { pruneKeptDatabases } from '../../../../collector/src/store/recovery/kept-databases.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { NOW, storeOn } from '../../../support/collector/collector-parts.ts';
import { booksOf, deliver, scrapes, SERIES, type Ledgered } from '../../../support/collector/prepared-store.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { until } from '../../../support/until.ts';

const folder = useTemporaryFolder();
let path: string;
let parts: ReturnType<typeof storeOn>;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  path = folder.path('metrics.db');
  parts = storeOn(path, { clock: new FakeClock(NOW) });
  stop = new AbortController();
  running = parts.store.run(stop.signal);
  await scrapes(parts, 5);
});

function remove(...suffixes: string[]): void {
  for (const suffix of suffixes) rmSync(path + suffix);
}

/** Lets the store do what it does in its ticks until it has logged this. */
async function untilLogged(message: string): Promise<void> {
  await until(`the store logs “${message}”`, async () => {
    await parts.clock.advance(100);
    return parts.log.said('error', 'warn').some((line) => line.endsWith(message));
  });
  await parts.clock.advance(1_000);
}

async function close(): Promise<void> {
  stop.abort();
  await parts.clock.advance(0);
  await running;
  parts.store.close();
}

function read<T>(use: (database: Database) => T): T {
  const database = openDatabase(path, { readonly: true });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

function books(): Ledgered {
  return read(booksOf);
}

function rows(): number {
  return read((database) => database.prepare<[], number>('SELECT COUNT(*) FROM samples').pluck().get()!);
}

function names(pattern: RegExp): string[] {
  return readdirSync(dirname(path)).filter((name) => pattern.test(name));
}

describe('store: files that are taken away', () => {
  test.each<[string, () => void]>([
    ['the database is removed', () => remove('')],
    ['all three files are', () => remove('', '-wal', '-shm')],
    ['the WAL is', () => remove('-wal')],
    ['the shared memory is', () => remove('-shm')],
  ])('everything stands in a new file after %s, and one line tells of each step', async (_, takeAway) => {
    takeAway();
    await scrapes(parts, 2);
    await untilLogged('database restored from open files');
    await scrapes(parts, 2);
    await close();
    expect(books()).toMatchObject({ collected: 9 * SERIES, pending: 9 * SERIES, dropped: 0, balanced: 1 });
    expect(rows()).toBe(9 * SERIES);
    expect(parts.log.said('error', 'warn')).toEqual([
      'error: database files taken away, restoring',
      'warn: database restored from open files',
    ]);
    expect(names(/\.(copy|complete|foreign)/)).toEqual([]);
  });

  test('another file in its place is set aside under a name of its own, also a folder', async () => {
    copyFileSync(path, `${path}.other`);
    renameSync(`${path}.other`, path);
    await untilLogged('database restored from open files');
    remove('');
    mkdirSync(path);
    await parts.clock.advance(1_000);
    await until('both are set aside', async () => {
      await parts.clock.advance(100);
      return names(/foreign-\d+T\d+Z(-\d+)?$/).length === 2 && existsSync(`${path}-wal`);
    });
    await scrapes(parts, 1);
    await close();
    expect(books()).toMatchObject({ collected: 6 * SERIES, pending: 6 * SERIES, dropped: 0, balanced: 1 });
    pruneKeptDatabases(path, 0);
    // The folder is not ours to remove.
    expect(names(/foreign/)).toHaveLength(1);
  });

  test('rows of a running session keep their session in the new file', async () => {
    remove('');
    await untilLogged('database restored from open files');
    await scrapes(parts, 1);
    await close();
    expect(read((database) => database.prepare('SELECT COUNT(DISTINCT session_id) FROM metrics').pluck().get())).toBe(
      1,
    );
    expect(read((database) => database.prepare('SELECT first_sample_id, status FROM sessions').raw().all())).toEqual([
      [1, 'completed'],
    ]);
  });

  test('a program that ends first restores the database', async () => {
    remove('', '-wal', '-shm');
    await scrapes(parts, 1);
    await close();
    expect(books()).toMatchObject({ collected: 6 * SERIES, pending: 6 * SERIES, dropped: 0, balanced: 1 });
    expect(rows()).toBe(6 * SERIES);
  });

  test('what another program commits to the open files while they are copied is copied too', async () => {
    const database = folder.keep(openDatabase(path));
    const uploader = folder.keep(openDatabase(path));
    const ids = readDatabaseFileIds(path)!;
    remove('', '-wal', '-shm');
    const move = new DatabaseMove(database, { databasePath: path, ids, nowMs: NOW });
    await until('the copy is complete', () => move.state === 'copied');
    deliver(uploader, 7);
    expect([move.install(), existsSync(path)]).toEqual([false, false]);
    await until('the copy is complete again', () => move.state === 'copied');
    expect(move.install()).toBe(true);
    expect(books()).toMatchObject({ collected: 5 * SERIES, delivered: 7, pending: 5 * SERIES - 7, balanced: 1 });
    await close();
  });

  test('samples are buffered while there is no place for the new file, and stored once there is', async () => {
    const elsewhere = `${dirname(path)}.elsewhere`;
    renameSync(dirname(path), elsewhere);
    // A file in the place of the folder.
    copyFileSync(`${elsewhere}/metrics.db`, dirname(path));
    await scrapes(parts, 2);
    await untilLogged('cannot store samples, buffering');
    rmSync(dirname(path));
    renameSync(elsewhere, `${elsewhere}.kept`);
    await untilLogged('store recovered');
    await close();
    rmSync(`${elsewhere}.kept`, { recursive: true });
    expect(books()).toMatchObject({ collected: 7 * SERIES, pending: 7 * SERIES, dropped: 0, balanced: 1 });
  });
});

describe('store: a kill while files are restored', () => {
  test('a complete copy gets the name of the database at the next start, and what stands there is kept', async () => {
    await close();
    renameSync(path, `${path}.complete`);
    copyFileSync(`${path}.complete`, path);
    finishInterruptedDatabaseMove(path, NOW);
    expect(books()).toMatchObject({ collected: 5 * SERIES, balanced: 1 });
    expect(names(/foreign|complete/)).toEqual([`${basename(path)}.foreign-20231114T221320Z`]);
  });

  test('an incomplete copy is removed with its journal', async () => {
    await close();
    for (const suffix of ['.copy', '.copy-journal']) copyFileSync(path, path + suffix);
    finishInterruptedDatabaseMove(path, NOW);
    expect(names(/copy/)).toEqual([]);
    expect(books()).toMatchObject({ collected: 5 * SERIES, balanced: 1 });
  });
});

describe('store: a database that is written over', () => {
  /** A copy of the database as it is now, complete in one file. */
  function copyTo(name: string): string {
    const copy = folder.path(name);
    read((database) => database.prepare('VACUUM INTO ?').run(copy));
    return copy;
  }

  test('an older copy of it: what it does not have is booked as lost, and what was delivered stays delivered', async () => {
    const uploader = openDatabase(path);
    deliver(uploader, 2 * SERIES);
    const older = copyTo('older.db');
    await scrapes(parts, 3);
    deliver(uploader, 4 * SERIES);
    uploader.pragma('wal_checkpoint(TRUNCATE)');
    uploader.close();
    await parts.clock.advance(2_000);
    copyFileSync(older, path);
    await untilLogged('salvage finished');
    await scrapes(parts, 1);
    await close();
    expect(books()).toEqual({
      collected: 9 * SERIES,
      delivered: 4 * SERIES,
      pending: 2 * SERIES,
      rejected: 0,
      dropped: 3 * SERIES,
      balanced: 1,
    });
    expect(rows()).toBe(6 * SERIES);
  });

  test('what was provisional counts as pending: the receiver may have lost it too', async () => {
    const uploader = openDatabase(path);
    const older = copyTo('older.db');
    await scrapes(parts, 2);
    deliver(uploader, 7 * SERIES);
    uploader
      .prepare('INSERT INTO provisional (accepted_at, ranges) VALUES (?, ?)')
      .run(NOW, JSON.stringify([[4 * SERIES + 1, 7 * SERIES]]));
    uploader.pragma('wal_checkpoint(TRUNCATE)');
    uploader.close();
    await parts.clock.advance(2_000);
    copyFileSync(older, path);
    await untilLogged('salvage finished');
    await close();
    expect(books()).toMatchObject({
      collected: 7 * SERIES,
      delivered: 4 * SERIES,
      pending: SERIES,
      dropped: 2 * SERIES,
    });
  });

  test('a database of another device: it is set aside, and no row of it is taken', async () => {
    const other = folder.path('other.db');
    const strange = storeOn(other, { clock: new FakeClock(NOW) });
    await scrapes(strange, 9);
    strange.store.close();
    await parts.clock.advance(2_000);
    read(() => undefined);
    const checkpoint = openDatabase(path);
    checkpoint.pragma('wal_checkpoint(TRUNCATE)');
    checkpoint.close();
    await parts.clock.advance(2_000);
    copyFileSync(other, path);
    await untilLogged('salvage finished');
    await scrapes(parts, 1);
    await close();
    expect(books()).toMatchObject({ collected: 6 * SERIES, pending: SERIES, dropped: 5 * SERIES, balanced: 1 });
    expect(rows()).toBe(SERIES);
    expect(names(/foreign-\d+T\d+Z$/)).toHaveLength(1);
  });
});
