import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Creates an empty file for SQLite to fill, unless it exists. SQLite itself would create it without write access for the
 * group, whatever the umask (-wal and -shm get the mode of the database), and collector and uploader may be two users
 * of one group.
 */
export function createFile(path: string): void {
  createFolder(dirname(path));
  try {
    closeSync(openSync(path, 'wx', 0o664));
  } catch {
    // It exists, or SQLite reports what is wrong.
  }
}

/**
 * Creates a folder and those above it. Node.js' own recursion never ends where the kernel creates nothing, as in /proc: there a
 * folder is missing although those above it exist.
 */
function createFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) createFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // The other program may have created it meanwhile.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
