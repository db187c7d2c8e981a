import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { isBusy, createFile, openDatabase, PAGE_SIZE, type Database } from './open.ts';

/** Whether a database was made with other pages than ours, as those of the first versions were. */
export function needsRebuild(database: Database): boolean {
  return database.pragma('page_size', { simple: true }) !== PAGE_SIZE;
}

/**
 * Takes a database for this connection alone until it is closed; false where somebody else has it open.
 * It leaves WAL for that, which also removes the WAL: it must never meet another file under the same name.
 */
export function lockExclusively(database: Database): boolean {
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = DELETE');
    return true;
  } catch (error) {
    if (!isBusy(error)) throw error;
    database.pragma('locking_mode = NORMAL');
    return false;
  }
}

/**
 * Copies a database that is taken alone into a new file with small pages and puts that in its place; closes `database`.
 * Until the rename, which is atomic, the old file stands as it was.
 */
export function rebuild(database: Database, path: string): Database {
  const copy = `${path}.rebuild`;
  rmSync(copy, { force: true });
  database.pragma(`page_size = ${PAGE_SIZE}`);
  createFile(copy);
  database.prepare('VACUUM INTO ?').run(copy);
  database.close();
  // Opened once for itself, so that it is in WAL and on the disk before it has the name.
  openDatabase(copy).close();
  renameSync(copy, path);
  syncFolder(dirname(path));
  return openDatabase(path);
}

/** Makes a rename last through a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
