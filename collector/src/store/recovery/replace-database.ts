import { existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import type { Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { syncFolder } from '@thugshells/shared/database/rebuild.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { copyLosses, copySalvages, copySessions } from './copied-history.ts';
import { CorruptDatabase } from './corrupt-database.ts';
import { readBooks, readSeries } from './corrupt-tables.ts';
import { findFileCorruption } from './integrity.ts';
import { Ledger } from '../space/ledger.ts';
import { measureDatabase, removeDatabase } from './move-database.ts';

export interface ReplacementOptions {
  readonly databasePath: string;
  readonly logger: Logger;
  readonly nowMs: number;
}

/** A new database under another name: the caller fills it as far as it likes and then installs it. */
export interface Replacement {
  readonly database: Database;
  /** Closes it, moves the corrupt one aside and renames this one into its place. */
  readonly install: () => void;
}

/** The files of a database in the order in which they are moved: no opener meets the WAL of another database. */
const SUFFIXES = ['-shm', '-wal', ''] as const;
/** At most this many corrupt databases are kept beside the one in use. */
const KEPT_DATABASES = 3;
/** Ids are never given twice: if the last one cannot be read, this many are skipped. */
const UNKNOWN_IDS = 10_000_000;

/** Returns the path that a corrupt database is moved to: beside the one in use, dated. */
export function corruptDatabasePath(databasePath: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${databasePath}.damaged-${stamp}`;
}

/** Returns the path of the new database until it is complete. */
function replacementPath(databasePath: string): string {
  return `${databasePath}.new`;
}

/** Creates the database that replaces a corrupt one, with its series, sessions and books; Salvage copies the samples. */
export function createReplacement({ databasePath, logger, nowMs }: ReplacementOptions): Replacement {
  const path = replacementPath(databasePath);
  const aside = corruptDatabasePath(databasePath, nowMs);
  removeDatabase(path);
  const database = prepareDatabase(path, logger);
  const isWalUnread = findFileCorruption(databasePath) !== undefined;
  const source = new CorruptDatabase(databasePath);
  try {
    database
      .transaction(() => copyAllButSamples(source, database, { file: basename(aside), nowMs, isWalUnread }))
      .immediate();
  } finally {
    source.close();
  }
  return {
    database,
    install: () => {
      database.pragma('wal_checkpoint(TRUNCATE)');
      database.close();
      installNew(databasePath, path, aside);
    },
  };
}

/** Finishes a replacement that a kill has interrupted: a complete new database is installed, an incomplete one removed. */
export function finishInterruptedReplacement(databasePath: string): void {
  const path = replacementPath(databasePath);
  if (!existsSync(path)) return;
  // The corrupt one is moved away only after the new one is complete.
  if (!existsSync(databasePath)) renameSync(path, databasePath);
  removeDatabase(path);
  syncFolder(dirname(databasePath));
}

/** Removes all but the newest three corrupt databases, and more of them if they exceed `maxBytes`. */
export function pruneCorruptDatabases(databasePath: string, maxBytes: number): void {
  const prefix = `${basename(databasePath)}.damaged-`;
  const folder = dirname(databasePath);
  const names = readdirSync(folder).filter((name) => name.startsWith(prefix) && !/-(wal|shm)$/.test(name));
  let bytes = 0;
  for (const [index, name] of names.sort().reverse().entries()) {
    bytes += measureDatabase(join(folder, name));
    if (index >= KEPT_DATABASES || bytes > maxBytes) removeDatabase(join(folder, name));
  }
}

function installNew(databasePath: string, newPath: string, aside: string): void {
  for (const suffix of SUFFIXES) {
    if (existsSync(databasePath + suffix)) renameSync(databasePath + suffix, aside + suffix);
  }
  renameSync(newPath, databasePath);
  syncFolder(dirname(databasePath));
}

function copyAllButSamples(
  source: CorruptDatabase,
  database: Database,
  { file, nowMs, isWalUnread }: { readonly file: string; readonly nowMs: number; readonly isWalUnread: boolean },
): void {
  const insertSeries = database.prepare(
    'INSERT OR IGNORE INTO series (id, key, name, tags, device_id, value_type, priority) VALUES (@id, @key, @name, @tags, @deviceId, @valueType, @priority)',
  );
  for (const series of readSeries(source)) insertSeries.run(series);
  copySessions(source, database);
  const lost = copyBooks(source, database, nowMs);
  // Samples that are only in a WAL that SQLite does not read have ids beyond the last one of the file.
  const beyondReach = isWalUnread ? [[source.highestId() ?? 0, Number.MAX_SAFE_INTEGER]] : [];
  database
    .prepare(`INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES (?, 'pending', 0, ?, ?, 0)`)
    .run(file, JSON.stringify(beyondReach), lost);
  copySalvages(source, database, 0);
}

/** Returns how many samples were pending: all of them are booked as dropped until they are found. */
function copyBooks(source: CorruptDatabase, database: Database, nowMs: number): number {
  const books = readBooks(source);
  const lastId = Math.max(books?.lastId ?? UNKNOWN_IDS, source.highestId() ?? 0);
  database.prepare('UPDATE collector_state SET last_id = ?').run(lastId);
  const ledger = new Ledger(database);
  if (books === undefined) return 0;
  const { collected, delivered, rejected, heartbeatMs } = books;
  const dropped = copyLosses(source, ledger, books);
  const lost = Math.max(0, collected - delivered - rejected - dropped);
  if (lost > 0) ledger.add({ reason: 'corruption', count: lost, firstMs: null, lastMs: null }, nowMs);
  database.prepare('UPDATE uploader_state SET delivered = ?, rejected = ?').run(delivered, rejected);
  // Computed anew: if the books do not balance, it is not known which number is corrupt.
  database
    .prepare('UPDATE collector_state SET collected = ?, heartbeat = ?')
    .run(delivered + rejected + dropped + lost, heartbeatMs);
  return lost;
}
