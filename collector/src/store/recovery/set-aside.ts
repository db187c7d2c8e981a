import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { readRawFile } from '@thugshells/shared/database/database-files.ts';
import { openDatabase } from '@thugshells/shared/database/open.ts';
import { syncFolder } from '@thugshells/shared/database/rebuild.ts';
import { SCHEMA_VERSION, readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';
import { listSetAsideFiles, setAsidePath, importName } from '@thugshells/shared/database/set-aside-files.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import { findFileCorruption, isVersionRecordCorrupt } from './integrity.ts';
import { measureDatabase, finishInterruptedMove, moveDatabase } from './move-database.ts';

export interface SetAsideOptions {
  readonly dbPath: string;
  readonly logger: Logger;
}

/**
 * Sets aside a database that a newer program has migrated, so that a new one can be created: a device that went back to an
 * older program goes on collecting. A program that knows the schema imports the samples (set-aside-import.ts).
 *
 * The move is more than one rename if another program has the database open. Its target is written to a file before the
 * first rename; after a kill, finishInterruptedSetAside() goes on from there.
 */
export function setNewerDatabaseAside({ dbPath, logger }: SetAsideOptions): void {
  finishInterruptedSetAside(dbPath);
  const version = readFileSchemaVersion(dbPath);
  if (version === undefined || version <= SCHEMA_VERSION || isVersionRecordCorrupt(dbPath)) return;
  checkpointWal(dbPath, logger);
  const target = findFreePath(dbPath, version);
  writeIntent(dbPath, target);
  moveDatabase(dbPath, target);
  removeIntent(dbPath);
  logger.warn('database set aside: newer schema', {
    path: target,
    schema_version: version,
    known_version: SCHEMA_VERSION,
    bytes: measureDatabase(target),
    hint: `install a version that knows schema ${version}: it imports the samples; keep the file until then`,
  });
}

/** Finishes a move that a kill has interrupted. */
export function finishInterruptedSetAside(dbPath: string): void {
  const intent = intentPath(dbPath);
  if (!existsSync(intent)) return;
  const name = basename(readRawFile(intent));
  // After a kill before the first rename nothing has been moved: the database is examined like any other.
  if (name.startsWith(`${basename(dbPath)}.schema-`)) finishInterruptedMove(dbPath, join(dirname(dbPath), name));
  removeIntent(dbPath);
}

/**
 * Moves the WAL into the database: closing the last connection does so. If another program has the database open, the WAL
 * stays and is moved with the file.
 */
function checkpointWal(dbPath: string, logger: Logger): void {
  // SQLite takes a WAL whose header it cannot read for an empty one, and overwrites it.
  if (findFileCorruption(dbPath) !== undefined) return;
  try {
    openDatabase(dbPath).close();
  } catch (error) {
    logger.debug('WAL not checkpointed before setting aside', toErrorFields(error));
  }
}

/** Returns a name that no file has, nor had before its import began. */
function findFreePath(dbPath: string, version: number): string {
  const taken = new Set(listSetAsideFiles(dbPath).map(({ file }) => file));
  const isTaken = (path: string): boolean =>
    [basename(path), importName(basename(path))].some((name) => taken.has(name)) ||
    [`${path}-wal`, `${path}-shm`].some((side) => existsSync(side));
  for (let count = 1; ; count++) {
    const path = setAsidePath(dbPath, version, count);
    if (!isTaken(path)) return path;
  }
}

function intentPath(dbPath: string): string {
  return `${dbPath}.setting-aside`;
}

/** Writes the target of the move, synced to the disk. */
function writeIntent(dbPath: string, target: string): void {
  // A new file: one that is there may be a link to any other, which would be truncated, and closed.
  rmSync(intentPath(dbPath), { force: true });
  const descriptor = openSync(intentPath(dbPath), 'wx', 0o660);
  try {
    writeSync(descriptor, basename(target));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  syncFolder(dirname(dbPath));
}

function removeIntent(dbPath: string): void {
  syncFolder(dirname(dbPath));
  rmSync(intentPath(dbPath), { force: true });
}
