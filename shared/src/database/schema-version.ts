import { statSync } from 'node:fs';

import { openDatabase, type Database } from './open.ts';

/** The newest version that this program knows: the number of the last file in migrations/. */
export const SCHEMA_VERSION = 12;

const VERSION_OF_FIRST_MILESTONE = 1;

/**
 * Reads the version of a database's schema; 0 for an empty one.
 * The first milestone kept no record of it: its table without a `schema_version` beside it is version 1.
 */
export function schemaVersion(database: Database): number {
  if (!hasTable(database, 'schema_version')) {
    return hasTable(database, 'metrics') ? VERSION_OF_FIRST_MILESTONE : 0;
  }
  return database.prepare<[], number>('SELECT IFNULL(MAX(version), 0) FROM schema_version').pluck().get() ?? 0;
}

/** Reads the schema version of a database file; undefined if it is missing, empty or unreadable. */
export function readFileSchemaVersion(path: string): number | undefined {
  // SQLite removes the WAL of an empty database when it opens it, also with a read-only connection.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return undefined;
  let database: Database | undefined;
  try {
    // A read-only connection leaves the WAL as it is.
    database = openDatabase(path, { readonly: true });
    return schemaVersion(database);
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}

function hasTable(database: Database, name: string): boolean {
  return database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(name) !== undefined;
}
