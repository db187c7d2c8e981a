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

/** A new database under another name, to be filled as far as the caller likes and then put in the damaged one's place. */
export interface Replacement {
  readonly database: Database;
  /** Closes it, moves the damaged one aside and puts it in its place. */
  readonly install: () => void;
}

/** The files of a database in the order in which they are moved: nobody who opens it meanwhile meets another one's WAL. */
const SUFFIXES = ['-shm', '-wal', ''] as const;
/** At most this many damaged databases are kept beside the one in use. */
const KEPT_DATABASES = 3;
/** Ids that a lost row may have had are left out: where the last one cannot be read, this many. */
const UNKNOWN_IDS = 10_000_000;

/** Where a damaged database is moved: beside the one in use, dated. */
export function corruptDatabasePath(databasePath: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${databasePath}.damaged-${stamp}`;
}

/** The name of the new database until it is whole. */
function replacementPath(databasePath: string): string {
  return `${databasePath}.new`;
}

/** Makes the database that is to take a damaged one's place: series, epochs, sessions and books; the rows are Salvage's. */
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

/**
 * Ends what a kill in the middle of the last healing left: a new database that is whole takes its place, one that is
 * not is removed.
 */
export function finishInterruptedReplacement(databasePath: string): void {
  const path = replacementPath(databasePath);
  if (!existsSync(path)) return;
  // The damaged one was moved away, which is done only when the new one is whole.
  if (!existsSync(databasePath)) renameSync(path, databasePath);
  removeDatabase(path);
  syncFolder(dirname(databasePath));
}

/** Keeps at most three damaged databases, the newest, and no more of them than `maxBytes`. */
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
  // What stands only in a WAL that SQLite does not read has ids beyond its last one.
  const beyondReach = isWalUnread ? [[source.highestId() ?? 0, Number.MAX_SAFE_INTEGER]] : [];
  database
    .prepare(`INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES (?, 'pending', 0, ?, ?, 0)`)
    .run(file, JSON.stringify(beyondReach), lost);
  copySalvages(source, database, 0);
}

/** Returns how many rows were pending: all of them are booked as lost until they are found. */
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
  // Not as it was: of numbers that do not add up nobody knows which one is damaged.
  database
    .prepare('UPDATE collector_state SET collected = ?, heartbeat = ?')
    .run(delivered + rejected + dropped + lost, heartbeatMs);
  return lost;
}
