import { lstatSync, readdirSync, renameSync, type Dirent } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import { measureDatabase, removeDatabase } from './move-database.ts';

/** At most this many databases are kept beside the one in use. */
const KEPT_DATABASES = 3;
const KEPT = /^(\.(?:damaged|foreign)-(\d+T\d+Z(?:-\d+)?))(?:-wal|-shm)?$/;

/** Returns the path that a corrupt database is moved to: beside the one in use, dated. */
export function corruptDatabasePath(databasePath: string, nowMs: number): string {
  return `${databasePath}.damaged-${toStamp(nowMs)}`;
}

/**
 * Moves files that another program has put in the place of the database in use, or beside it.
 *
 * @param suffixes of those that are there
 * @returns their new paths
 */
export function setAsideForeign(databasePath: string, nowMs: number, suffixes: readonly string[]): string[] {
  const present = suffixes.filter((suffix) => isPresent(databasePath + suffix));
  const aside = findFreePath(`${databasePath}.foreign-${toStamp(nowMs)}`);
  for (const suffix of present) renameSync(databasePath + suffix, aside + suffix);
  return present.map((suffix) => aside + suffix);
}

function findFreePath(path: string): string {
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? path : `${path}-${count}`;
    if (!['', '-wal', '-shm'].some((suffix) => isPresent(candidate + suffix))) return candidate;
  }
}

/** Also if it is a link to nothing. */
function isPresent(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Removes all but the newest three corrupt and foreign databases, and more of them if they exceed `maxBytes`. */
export function pruneKeptDatabases(databasePath: string, maxBytes: number): void {
  const prefix = basename(databasePath);
  const folder = dirname(databasePath);
  const stamps = new Map<string, string>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    // A folder or a link that stood in the place of the database is not ours to remove.
    const [, name, stamp] = (isKept(entry, prefix) && KEPT.exec(entry.name.slice(prefix.length))) || [];
    if (name !== undefined && stamp !== undefined) stamps.set(prefix + name, stamp);
  }
  const kept = [...stamps].sort(([, a], [, b]) => (a < b ? 1 : -1));
  let bytes = 0;
  for (const [index, [name]] of kept.entries()) {
    bytes += measureDatabase(join(folder, name));
    if (index >= KEPT_DATABASES || bytes > maxBytes) removeDatabase(join(folder, name));
  }
}

function isKept(entry: Dirent, prefix: string): boolean {
  return entry.isFile() && entry.name.startsWith(prefix);
}

function toStamp(ms: number): string {
  return formatTime(ms).replace(/[-:]|\.\d+/g, '');
}
