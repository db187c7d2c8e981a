import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, openMemory, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { seriesKey } from '@thugshells/shared/metrics/sample.ts';

import { classifyStorageError } from './storage-errors.ts';

/** Up to this size a database is checked whole before anything else is done: a third of a second on a desktop. */
const MAX_FULL_CHECK_BYTES = 32 * 1024 ** 2;
/** SQLite's file format, section 4.1: what a WAL begins with. */
const WAL_MAGIC = [0x377f0682, 0x377f0683];

/**
 * What is wrong with a database's files before SQLite opens them; it would take a database of no bytes, or a WAL whose
 * header it cannot read, for empty ones, and write over what is left.
 * Only for files that no connection of this process has open.
 */
export function findFileCorruption(databasePath: string): string | undefined {
  const walPath = `${databasePath}-wal`;
  const walBytes = statSync(walPath, { throwIfNoEntry: false })?.size ?? 0;
  if (walBytes === 0) return undefined;
  const bytes = statSync(databasePath, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes === 0) return 'the database is empty and its WAL is not';
  return isWal(walPath) ? undefined : 'the header of the WAL is damaged';
}

/** What is wrong with a database before anybody works on it: its files, and what they hold as far as that is looked at at once. */
export function findCorruption(path: string): string | undefined {
  return findFileCorruption(path) ?? (existsSync(path) ? inspectDatabase(path) : undefined);
}

/** Looked for by a connection that only reads: one that writes would move the WAL into a damaged file when it is closed. */
function inspectDatabase(path: string): string | undefined {
  const database = openDatabase(path, { readonly: true });
  try {
    return isCheckedAtOnce(path) ? findContentCorruption(database) : findSchemaCorruption(database);
  } finally {
    database.close();
  }
}

function isWal(path: string): boolean {
  const descriptor = openSync(path, 'r');
  try {
    const header = Buffer.alloc(4);
    readSync(descriptor, header, 0, header.length, 0);
    return WAL_MAGIC.includes(header.readUInt32BE(0));
  } finally {
    closeSync(descriptor);
  }
}

/** What SQLite finds wrong when it reads everything once, what is wrong with the schema, and what the rows say of each other. */
export function findContentCorruption(database: Database): string | undefined {
  return read(() => {
    const found = database.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') return String(found);
    const fault = findSchemaCorruption(database);
    if (fault !== undefined || schemaVersion(database) !== SCHEMA_VERSION) return fault;
    return findSeriesCorruption(database) ?? findBooksCorruption(database);
  });
}

/**
 * What is wrong with a database's schema: a damaged name looks like a table that was never made.
 * Looked at before the migrations, which would make it anew beside the rows.
 */
export function findSchemaCorruption(database: Database): string | undefined {
  return read(() => {
    const version = schemaVersion(database);
    const has = (name: string): boolean => readSchemaObjects(database).has(`table ${name}`);
    if (version < 3 && ['series', 'samples', 'settled', 'collector_state'].some(has))
      return 'the record of the schema’s version is damaged';
    if (version === 0) return undefined;
    // A later program's database is set aside, not mended: which version it has is not for us to doubt.
    if (version > SCHEMA_VERSION) return undefined;
    if (has('schema_version') && !areWhole(database, version)) return 'the record of the schema’s version is damaged';
    return version === SCHEMA_VERSION ? findSchemaDifference(database) : undefined;
  });
}

/** Whether a database is small enough to be checked whole before the first scrape. */
export function isCheckedAtOnce(databasePath: string): boolean {
  return (statSync(databasePath, { throwIfNoEntry: false })?.size ?? 0) <= MAX_FULL_CHECK_BYTES;
}

/** Versions are recorded one by one, so a number that is not is no version. */
function areWhole(database: Database, version: number): boolean {
  return (
    database.prepare<[], number>('SELECT COUNT(*) FROM schema_version WHERE version > 0').pluck().get() === version
  );
}

function readSchemaObjects(database: Database): Map<string, string> {
  const rows = database
    .prepare<[], { object: string; sql: string | null }>(`SELECT type || ' ' || name AS object, sql FROM sqlite_schema`)
    .all();
  return new Map(rows.map(({ object, sql }) => [object, sql ?? '']));
}

function findSchemaDifference(database: Database): string | undefined {
  const ours = openMemory();
  try {
    migrate(ours);
    const theirs = readSchemaObjects(database);
    for (const [object, sql] of readSchemaObjects(ours)) {
      // SQLite's own list of ids, which a copy does not have.
      if (object !== 'table sqlite_sequence' && theirs.get(object) !== sql)
        return `the schema is damaged: ${object} is not what it was made as`;
    }
    return undefined;
  } finally {
    ours.close();
  }
}

/** A series' key is a hash of all the rest of it: damage to a name or a label shows. */
function findSeriesCorruption(database: Database): string | undefined {
  const rows = database
    .prepare<[], { id: number; key: Buffer; name: string; tags: string; device_id: string; value_type: number }>(
      'SELECT * FROM series',
    )
    .iterate();
  for (const { id, key, name, tags, device_id: device, value_type: type } of rows) {
    if (!key.equals(seriesKey(name, device, tags, type))) return `series ${id} is not what its key says`;
  }
  return undefined;
}

/** Numbers that do not add up, or ids beyond the last one that was given, say that one of them is damaged. */
function findBooksCorruption(database: Database): string | undefined {
  const states = ['collector_state', 'uploader_state', 'storage_state'];
  const missing = states.find((table) => database.prepare(`SELECT COUNT(*) FROM ${table}`).pluck().get() !== 1);
  if (missing !== undefined) return `${missing} is empty`;
  const beyond = database
    .prepare(
      `SELECT 1 FROM collector_state WHERE last_id < IFNULL((SELECT MAX(id) FROM samples), 0)
         OR last_id < IFNULL((SELECT MAX(last_id) FROM settled), 0)`,
    )
    .get();
  if (beyond !== undefined) return 'there are ids beyond the last one';
  const overlapping = database
    .prepare(
      'SELECT 1 FROM (SELECT first_id, last_id, LAG(last_id, 1, 0) OVER (ORDER BY first_id) AS before FROM settled) WHERE first_id <= before OR last_id < first_id',
    )
    .get();
  if (overlapping !== undefined) return 'ranges of settled ids overlap';
  const balanced = database.prepare<[], number>('SELECT balanced FROM books').pluck().get();
  return balanced === 1 ? undefined : 'the books do not balance';
}

function read(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
    return toErrorMessage(error);
  }
}
