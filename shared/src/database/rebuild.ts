import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { createFile } from './create-file.ts';
import { isBusy, openDatabase, PAGE_SIZE, type Database } from './open.ts';

/** Bytes of a page up to which a database is left as it is: to copy all of it costs more flash than it would save soon. */
const LARGEST_KEPT_PAGE = 1_024;

/** Returns whether a database has large pages, as those of the first versions have. */
export function needsRebuild(database: Database): boolean {
  return (database.pragma('page_size', { simple: true }) as number) > LARGEST_KEPT_PAGE;
}

/**
 * Locks a database for this connection until it is closed; returns false if another program has it open.
 * The database leaves WAL mode, which removes the WAL: it must never meet another database under the same name.
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
 * Copies an exclusively locked database into a new file with small pages, closes it, and renames the copy into its place.
 * Until the rename, which is atomic, the old file stays unchanged.
 */
export function rebuild(database: Database, path: string): Database {
  const copy = `${path}.rebuild`;
  rmSync(copy, { force: true });
  database.pragma(`page_size = ${PAGE_SIZE}`);
  createFile(copy);
  database.prepare('VACUUM INTO ?').run(copy);
  database.close();
  // Opened once, so that it is in WAL mode and synced to the disk before it gets the name.
  openDatabase(copy).close();
  renameSync(copy, path);
  syncFolder(dirname(path));
  return openDatabase(path);
}

/** Syncs a folder: makes a rename in it survive a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
