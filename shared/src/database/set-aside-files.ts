import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * The names of databases that were set aside since their schema was newer than the program:
 *
 *   metrics.db.schema-6                 set aside, with schema version 6
 *   metrics.db.schema-6.2               another one; the first name was taken
 *   metrics.db.schema-6.2.taking-over   its rows are being copied into the database that names it in its table `salvage`
 *
 * A file that is being taken over is tied to that one database, which may be set aside in its turn: whoever began anew
 * with it would store rows twice.
 */
export interface SetAsideFile {
  /** Without its folder. */
  readonly file: string;
  /** The schema's version when it was set aside. */
  readonly schemaVersion: number;
  /** With what stands beside it. */
  readonly bytes: number;
  readonly isBeingTakenOver: boolean;
}

const BEING_TAKEN_OVER = '.taking-over';
const SUFFIX = /^\.schema-(\d+)(?:\.\d+)?(\.taking-over)?$/;

/** The path under which a database of a newer schema is set aside. @param count 1 for the first of its version */
export function setAsidePath(databasePath: string, schemaVersion: number, count: number): string {
  return `${databasePath}.schema-${schemaVersion}${count > 1 ? `.${count}` : ''}`;
}

/** The name of a set-aside file while it is being taken over. */
export function importName(file: string): string {
  return `${file}${BEING_TAKEN_OVER}`;
}

/** The name that a file which is being taken over was set aside under; undefined for other files. */
export function nameBeforeImport(file: string): string | undefined {
  return file.endsWith(BEING_TAKEN_OVER) ? file.slice(0, -BEING_TAKEN_OVER.length) : undefined;
}

/** The set-aside files beside a database, by their names. Only their status is asked. */
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
      return [{ file, schemaVersion: Number(match[1]), bytes, isBeingTakenOver: match[2] !== undefined }];
    });
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
