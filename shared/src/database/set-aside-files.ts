import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * A database that was set aside because its schema is newer than the program. Its name shows its state:
 *
 *   metrics.db.schema-6                 set aside, with schema version 6
 *   metrics.db.schema-6.2               a second one of the same version
 *   metrics.db.schema-6.2.taking-over   it is being imported by the database whose table `salvage` has its name
 *
 * A file that is being imported belongs to that one database, which may be set aside in its turn: another one that
 * imported it from the beginning would store samples twice.
 */
export interface SetAsideFile {
  /** Without its folder. */
  readonly file: string;
  /** The schema's version when it was set aside. */
  readonly schemaVersion: number;
  /** With its WAL and shared memory. */
  readonly bytes: number;
  readonly isBeingImported: boolean;
}

const IMPORT_SUFFIX = '.taking-over';
const SUFFIX = /^\.schema-(\d+)(?:\.\d+)?(\.taking-over)?$/;

/** Returns the path that a database of a newer schema is moved to. @param count 1 for the first of its version */
export function setAsidePath(databasePath: string, schemaVersion: number, count: number): string {
  return `${databasePath}.schema-${schemaVersion}${count > 1 ? `.${count}` : ''}`;
}

/** Returns the name of a set-aside file during its import. */
export function importName(file: string): string {
  return `${file}${IMPORT_SUFFIX}`;
}

/** Returns the name that a file had before its import began; undefined for other files. */
export function nameBeforeImport(file: string): string | undefined {
  return file.endsWith(IMPORT_SUFFIX) ? file.slice(0, -IMPORT_SUFFIX.length) : undefined;
}

/** Lists the set-aside files beside a database, by name. It does not open them. */
export function listSetAsideFiles(databasePath: string): SetAsideFile[] {
  const prefix = basename(databasePath);
  return listNames(dirname(databasePath))
    .sort()
    .flatMap((file) => {
      const match = file.startsWith(prefix) ? SUFFIX.exec(file.slice(prefix.length)) : null;
      if (match === null) return [];
      const path = join(dirname(databasePath), file);
      const bytes = ['', '-wal', '-shm'].reduce(
        (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
      return [{ file, schemaVersion: Number(match[1]), bytes, isBeingImported: match[2] !== undefined }];
    });
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
