import { existsSync } from 'node:fs';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { findFileCorruption } from './integrity.ts';
import { setAsideForeign } from './kept-databases.ts';
import { isCopy, isOlder, writeAccount, type KnownAccount } from './known-account.ts';
import { classifyStorageError } from './storage-errors.ts';

export interface OverwrittenOptions {
  readonly dbPath: string;
  readonly logger: Logger;
  readonly nowMs: number;
}

/**
 * Compares a database that was open before with what is known of it, for somebody may have written another one over its
 * file. Into an older copy what is known is written, so that its recovery counts each sample that it does not have. A
 * database that is no copy is set aside: its rows are not ours, or would be stored twice; an empty one takes its place.
 *
 * @returns why it has to be recovered; undefined if it has everything that is known, or cannot be read
 */
export function findOverwritten(known: KnownAccount, options: OverwrittenOptions): string | undefined {
  const { dbPath, logger, nowMs } = options;
  switch (compare(known, dbPath)) {
    case 'older':
      return updateCopy(known, dbPath);
    case 'foreign':
      logger.warn('foreign database set aside', { files: setAsideForeign(dbPath, nowMs, ['', '-wal', '-shm']) });
      withDatabase(prepareDatabase(dbPath, logger), (database) => writeAccount(database, known));
      return 'the database was overwritten by another one';
    case 'missing':
      withDatabase(prepareDatabase(dbPath, logger), (database) => writeAccount(database, known));
      return 'the database is gone';
    case 'current':
    case 'unreadable':
      return undefined;
  }
}

type Comparison = 'missing' | 'older' | 'foreign' | 'current' | 'unreadable';

/** Through a read-only connection: closing another one would move the WAL into a file that may be corrupt. */
function compare(known: KnownAccount, dbPath: string): Comparison {
  if (!existsSync(dbPath)) return 'missing';
  if (findFileCorruption(dbPath) !== undefined) return 'unreadable';
  try {
    return withDatabase(openDatabase(dbPath, { readonly: true }), (database) => {
      if (schemaVersion(database) !== SCHEMA_VERSION) return 'unreadable';
      if (!isCopy(database, known)) return 'foreign';
      return isOlder(database, known) ? 'older' : 'current';
    });
  } catch {
    // Opening it to use it reports what is wrong.
    return 'unreadable';
  }
}

/** Where the copy cannot be written it is corrupt, which its recovery deals with. */
function updateCopy(known: KnownAccount, dbPath: string): string {
  try {
    withDatabase(openDatabase(dbPath), (database) => writeAccount(database, known));
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
  }
  return 'the database was overwritten by an older copy';
}

function withDatabase<T>(database: Database, work: (database: Database) => T): T {
  try {
    return work(database);
  } finally {
    database.close();
  }
}
