import { existsSync, readSync, statSync } from 'node:fs';

import { closeRawFile, openRawFile } from '@thugshells/shared/database/database-files.ts';
import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, openMemory, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { seriesKey } from '@thugshells/shared/metrics/sample.ts';

import { classifyStorageError } from './storage-errors.ts';

/** Up to this size a database is checked completely before it is opened: a third of a second on a desktop. */
const MAX_FULL_CHECK_BYTES = 32 * 1024 ** 2;
/** SQLite's file format, section 4.1: the first bytes of a WAL. */
const WAL_MAGIC = [0x377f0682, 0x377f0683];

/**
 * Finds corruption of a database's files before SQLite opens them: it takes an empty database, or a WAL whose header it
 * cannot read, for new ones and overwrites what is left.
 */
export function findFileCorruption(databasePath: string): string | undefined {
  const walPath = `${databasePath}-wal`;
  const walBytes = statSync(walPath, { throwIfNoEntry: false })?.size ?? 0;
  if (walBytes === 0) return undefined;
  const bytes = statSync(databasePath, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes === 0) return 'the database is empty and its WAL is not';
  return isWal(walPath) ? undefined : 'the header of the WAL is corrupt';
}

/** Finds corruption of a database before it is opened for writing: of its files, schema and, if it is small, its content. */
export function findCorruption(path: string): string | undefined {
  return findFileCorruption(path) ?? (existsSync(path) ? inspectDatabase(path) : undefined);
}

/** Whether the record of schema versions is corrupt, so that it may name a version that the database never had. */
export function isVersionRecordCorrupt(path: string): boolean {
  const database = openDatabase(path, { readonly: true });
  try {
    return schemaVersion(database) > SCHEMA_VERSION && findSchemaCorruption(database) !== undefined;
  } finally {
    database.close();
  }
}

/**
 * Finds corruption at most once before a database is opened: an attempt that another program's lock ends is repeated, and a
 * check takes a second on a slow device.
 */
export class StartCheck {
  #isSound = false;

  /** Finds corruption, unless an earlier call found none. */
  find(path: string): string | undefined {
    if (this.#isSound) return undefined;
    const corruption = findCorruption(path);
    this.#isSound = corruption === undefined;
    return corruption;
  }

  /** The database is open: the next one is checked again. */
  end(): void {
    this.#isSound = false;
  }
}

/** Uses a read-only connection: another one would move the WAL into a corrupt file when it is closed. */
function inspectDatabase(path: string): string | undefined {
  const database = openDatabase(path, { readonly: true });
  try {
    return isCheckedAtOnce(path) ? findContentCorruption(database) : findSchemaCorruption(database);
  } finally {
    database.close();
  }
}

function isWal(path: string): boolean {
  const descriptor = openRawFile(path);
  try {
    const header = Buffer.alloc(4);
    readSync(descriptor, header, 0, header.length, 0);
    return WAL_MAGIC.includes(header.readUInt32BE(0));
  } finally {
    closeRawFile(descriptor);
  }
}

/** Finds corruption by SQLite's integrity_check, in the schema, and between rows that depend on each other. */
export function findContentCorruption(database: Database): string | undefined {
  return examine(() => {
    const found = database.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') return String(found);
    const corruption = findSchemaCorruption(database);
    if (corruption !== undefined || schemaVersion(database) !== SCHEMA_VERSION) return corruption;
    return findSeriesCorruption(database) ?? findBooksCorruption(database);
  });
}

/**
 * Finds corruption of a database's schema: a corrupt name looks like a missing table, which the migrations would create
 * again without its rows.
 */
export function findSchemaCorruption(database: Database): string | undefined {
  return examine(() => {
    const version = schemaVersion(database);
    const has = (name: string): boolean => readSchemaObjects(database).has(`table ${name}`);
    if (version < 3 && ['series', 'samples', 'settled', 'collector_state'].some(has))
      return 'the record of schema versions is corrupt';
    if (version === 0) return undefined;
    const isRecordComplete = !has('schema_version') || areVersionsComplete(database, version);
    // The database of a later program is set aside, whatever its schema looks like.
    if (version > SCHEMA_VERSION && (isRecordComplete || isSound(database))) return undefined;
    if (!isRecordComplete) return 'the record of schema versions is corrupt';
    return version === SCHEMA_VERSION ? findSchemaDifference(database) : undefined;
  });
}

/** Whether a database is small enough to be checked completely before the first scrape. */
export function isCheckedAtOnce(databasePath: string): boolean {
  return (statSync(databasePath, { throwIfNoEntry: false })?.size ?? 0) <= MAX_FULL_CHECK_BYTES;
}

/** Whether SQLite finds nothing wrong with the pages of a database. */
function isSound(database: Database): boolean {
  return examine(() => String(database.pragma('integrity_check(1)', { simple: true }))) === 'ok';
}

/** Every version is recorded in a row of its own: a gap means that a row is corrupt. */
function areVersionsComplete(database: Database, version: number): boolean {
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
      // SQLite's own table of AUTOINCREMENT, which a copy does not have.
      if (object !== 'table sqlite_sequence' && theirs.get(object) !== sql)
        return `the schema is corrupt: ${object} differs from its migration`;
    }
    return undefined;
  } finally {
    ours.close();
  }
}

/** What the books count. SQLite compares a text as greater than any number, so that a comparison alone does not find one. */
const BOOK_COLUMNS = [
  ['collector_state', 'last_id'],
  ['collector_state', 'collected'],
  ['collector_state', 'dropped'],
  ['uploader_state', 'delivered'],
  ['uploader_state', 'rejected'],
  ['settled', 'last_id'],
] as const;

/** The key of a series is a hash of the rest of its row: a corrupt name or label does not match it. */
function findSeriesCorruption(database: Database): string | undefined {
  const rows = database
    .prepare<[], { id: number; key: unknown; name: string; tags: string; device_id: string; value_type: number }>(
      'SELECT * FROM series',
    )
    .iterate();
  for (const { id, key, name, tags, device_id: device, value_type: type } of rows) {
    if (!Buffer.isBuffer(key) || !key.equals(seriesKey(name, device, tags, type)))
      return `series ${id} does not match its key`;
  }
  return undefined;
}

/** Finds books that do not balance and ids beyond the last one that was given. */
function findBooksCorruption(database: Database): string | undefined {
  const states = ['collector_state', 'uploader_state', 'storage_state'];
  const missing = states.find((table) => database.prepare(`SELECT COUNT(*) FROM ${table}`).pluck().get() !== 1);
  if (missing !== undefined) return `${missing} is empty`;
  const mistyped = BOOK_COLUMNS.find(([table, column]) => {
    const sql = `SELECT 1 FROM ${table} WHERE typeof(${column}) <> 'integer' OR ${column} NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`;
    return database.prepare(sql).get() !== undefined;
  });
  if (mistyped !== undefined) return `${mistyped.join('.')} is not a count`;
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
  const untimed = database
    .prepare(
      'SELECT 1 FROM (SELECT MIN(id) AS first FROM samples) WHERE first < IFNULL((SELECT MIN(first_id) FROM epochs), first + 1)',
    )
    .get();
  if (untimed !== undefined) return 'the epoch of the first rows is missing';
  const copied = database
    .prepare(
      `SELECT 1 FROM books_copy AS b, collector_state AS c, uploader_state AS u
       WHERE b.dropped = c.dropped AND b.collected - b.last_id = c.collected - c.last_id AND b.last_id <= c.last_id
         AND b.delivered = u.delivered AND b.rejected = u.rejected`,
    )
    .get();
  if (copied === undefined) return 'the books and their copy differ';
  const balanced = database.prepare<[], number>('SELECT balanced FROM books').pluck().get();
  return balanced === 0 ? 'the books do not balance' : undefined;
}

function examine(find: () => string | undefined): string | undefined {
  try {
    return find();
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
    return toErrorMessage(error);
  }
}
