import { statSync } from 'node:fs';

/**
 * Device and inode of the files of a database; undefined for each that does not exist. While a program has a file open, no
 * other file gets its inode, so that a comparison finds every file that was removed, renamed or replaced.
 */
export interface DatabaseFileIds {
  readonly database: string | undefined;
  readonly wal: string | undefined;
  readonly shm: string | undefined;
}

export interface FileIdOptions {
  /**
   * Whether an id has the time at which the file was created too: once a file is closed, another one may get its inode. Not
   * every file system keeps it.
   */
  readonly withCreation?: boolean;
}

/**
 * Reads the ids of a database's files. By stat(2) only: opening and closing a file would drop the POSIX locks that SQLite
 * holds on it in this process (fcntl(2)).
 *
 * @returns undefined if they cannot be found out, such as in a folder that may not be read
 */
export function readDatabaseFileIds(path: string, options?: FileIdOptions): DatabaseFileIds | undefined {
  try {
    return {
      database: readFileId(path, options),
      wal: readFileId(`${path}-wal`, options),
      shm: readFileId(`${path}-shm`, options),
    };
  } catch {
    return undefined;
  }
}

/**
 * Returns the suffixes of the files that are gone or replaced since they were opened. A side file that was not there then
 * has been created since.
 */
export function findReplacedFiles(before: DatabaseFileIds, now: DatabaseFileIds): ('' | '-wal' | '-shm')[] {
  return [
    ...(now.database === before.database ? [] : ([''] as const)),
    ...(before.wal === undefined || now.wal === before.wal ? [] : (['-wal'] as const)),
    ...(before.shm === undefined || now.shm === before.shm ? [] : (['-shm'] as const)),
  ];
}

/** Returns device and inode; undefined if there is no file. */
export function readFileId(path: string, { withCreation = false }: FileIdOptions = {}): string | undefined {
  const status = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (status === undefined) return undefined;
  return `${status.dev}:${status.ino}${withCreation ? `:${status.birthtimeNs}` : ''}`;
}
