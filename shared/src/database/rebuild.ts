import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { isBusy, openDatabase, PAGE_SIZE, type Database } from './open.js';

/** Whether a database was made with other pages than ours, as those of the first versions were. */
export function needsRebuild(database: Database): boolean {
  return database.pragma('page_size', { simple: true }) !== PAGE_SIZE;
}

/**
 * Copies a database into a new file with small pages and puts that in its place; closes `database`.
 * Until the rename, which is atomic, the old file stands as it was.
 *
 * @returns the open new database, or the old one where somebody else has it open
 */
export function rebuild(database: Database, path: string): { readonly database: Database; readonly rebuilt: boolean } {
  const copy = `${path}.rebuild`;
  rmSync(copy, { force: true });
  try {
    // Leaving WAL takes the database for ourselves and removes the WAL, which must never meet another file.
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = DELETE');
  } catch (error) {
    if (!isBusy(error)) throw error;
    database.close();
    return { database: openDatabase(path), rebuilt: false };
  }
  database.pragma(`page_size = ${PAGE_SIZE}`);
  database.prepare('VACUUM INTO ?').run(copy);
  database.close();
  openDatabase(copy).close();
  renameSync(copy, path);
  syncFolder(dirname(path));
  return { database: openDatabase(path), rebuilt: true };
}

/** Makes a rename last through a power cut. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
