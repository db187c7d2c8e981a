import { accessSync, constants, existsSync, statSync, type Stats } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { arch, platform } from 'node:process';

import type SQLite from 'better-sqlite3';

import { AgentError, toErrorCode, toErrorMessage } from '../errors.ts';
import { createFile } from './create-file.ts';
import { registerConnection, registerDatabase } from './database-files.ts';
import { createFileSystemError, isSharedMemoryError } from './file-system-error.ts';
import { describeLock, END_LOCK } from './write-lock.ts';

export type Database = SQLite.Database;
export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = SQLite.Statement<Parameters, Row>;

const require = createRequire(import.meta.url);

/**
 * How long a writer waits for the other one. SQLite waits on the thread that scrapes and answers requests, so it is short:
 * write transactions last milliseconds, and a commit that meets a longer one stays in memory and is retried.
 */
const BUSY_TIMEOUT_MS = 100;
/** The same for a command or the last commit of a program, which nothing else waits for. */
const LONG_BUSY_TIMEOUT_MS = 5_000;
/**
 * SQLite's smallest: a scrape dirties few bytes of each page, and every dirty page is written whole. Pages of 1,024 bytes
 * write 37 % more bytes a sample (`npm run bench -- flash`).
 */
export const PAGE_SIZE = 512;
/**
 * SQLite's own default. better-sqlite3's of 16 MB stays in the process once a check of a larger database has filled it (17 MB
 * of anonymous memory), and makes nothing faster: rows are read in their order.
 */
const CACHE_KIB = 2_000;
/** Older versions have a bug in the WAL reset that can corrupt a database with two writers. */
const OLDEST_SQLITE = [3, 51, 3] as const;

export interface OpenOptions {
  /** Create file and folder if they are missing; only the collector does. */
  readonly create?: boolean;
  /** For readers, such as the encode worker. */
  readonly readonly?: boolean;
  /** KiB of pages that are cached; 2,000 by default. */
  readonly cacheKiB?: number;
}

/** Lets a connection wait for the locks of others for up to 5 s. */
export function waitLongForLocks(database: Database): void {
  database.pragma(`busy_timeout = ${LONG_BUSY_TIMEOUT_MS}`);
}

/**
 * Opens the shared database: WAL, synchronous=NORMAL, a busy timeout of 100 ms.
 *
 * @throws AgentError DATABASE_MISSING, DATABASE_UNUSABLE, FILE_SYSTEM_UNSUPPORTED or SQLITE_TOO_OLD
 */
export function openDatabase(path: string, options: OpenOptions = {}): Database {
  const { create = false, readonly = false, cacheKiB = CACHE_KIB } = options;
  let database: Database | undefined;
  registerDatabase(path);
  try {
    if (create) createFile(path);
    // Checked here, because better-sqlite3 reports a missing folder by an error without a code.
    else if (!existsSync(dirname(path)))
      throw Object.assign(new Error('its folder does not exist'), { code: 'SQLITE_CANTOPEN' });
    database = new (driver())(path, { readonly, fileMustExist: !create, timeout: BUSY_TIMEOUT_MS });
    refuseUnsupportedSqlite(database);
    if (!readonly) {
      if (create) database.pragma(`page_size = ${PAGE_SIZE}`);
      database.pragma('journal_mode = WAL');
      // SQLite's own checkpoint at 1,000 pages would run inside a scrape or an acknowledgement, in either process.
      database.pragma('wal_autocheckpoint = 0');
    }
    database.pragma('synchronous = NORMAL');
    database.pragma(`cache_size = -${cacheKiB}`);
    registerConnection(path, database);
    requireSharedMemory(database);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof AgentError) throw error;
    throw toOpenError(path, error, create);
  }
}

/** Maps the shared memory of WAL mode, which SQLite does with the first read. Other errors of that are the reader's. */
function requireSharedMemory(database: Database): void {
  try {
    database.pragma('schema_version');
  } catch (error) {
    if (isSharedMemoryError(error)) throw error;
  }
}

/** Opens an empty side file for an instance lock. */
export function openSideFile(path: string): Database {
  try {
    createFile(path);
    registerDatabase(path);
    const file = new (driver())(path, { timeout: 0 });
    registerConnection(path, file);
    return file;
  } catch (error) {
    throw toOpenError(path, error, true);
  }
}

/** Opens a database in memory, to compare a schema with. */
export function openMemory(): Database {
  return new (driver())(':memory:');
}

/** Loads the driver of SQLite on the first use, so that a missing driver is an error with a hint. */
function driver(): typeof SQLite {
  return require('better-sqlite3') as typeof SQLite;
}

/** Returns whether an error means that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return toErrorCode(error)?.startsWith('SQLITE_BUSY') === true;
}

/**
 * Returns a row that every database has.
 *
 * @throws an error like SQLite's own for corruption, when it is missing
 */
export function requireRow<Row>(row: Row | undefined, table: string): Row {
  if (row !== undefined) return row;
  throw Object.assign(new Error(`the row of ${table} is missing`), { code: 'SQLITE_CORRUPT' });
}

/** SQLite's messages for a corrupt file; an error that came from a thread has lost its code. */
const CORRUPTION_MESSAGES =
  /database disk image is malformed|file is not a database|malformed database schema|unsupported file format/;

/** Returns whether an error means that the file is corrupt. */
export function isCorruption(error: unknown): boolean {
  const code = toErrorCode(error) ?? '';
  return (
    code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || CORRUPTION_MESSAGES.test(toErrorMessage(error))
  );
}

function toOpenError(path: string, cause: unknown, isCreated: boolean): AgentError {
  if (isDriverError(cause)) return toDriverError(cause);
  if (isBusy(cause)) return toLockedOpenError(path, cause);
  if (isSharedMemoryError(cause))
    return createFileSystemError('open the database', path, {
      lack: 'cannot share memory between two programs',
      cause,
    });
  const isAbsent = !existsSync(path);
  const missing = isAbsent && !isCreated && toErrorCode(cause) === 'SQLITE_CANTOPEN';
  return new AgentError(`cannot open the database ${path}: ${toErrorMessage(cause)}`, {
    code: missing ? 'DATABASE_MISSING' : 'DATABASE_UNUSABLE',
    hint: findObstacle(path) ?? findRemedy(isAbsent, isCreated),
    cause,
  });
}

function findRemedy(isAbsent: boolean, isCreated: boolean): string {
  if (!isAbsent) return 'check the disk and its free space';
  return isCreated
    ? 'set THUGSHELLS_DB_PATH to a folder in which files can be created, or free space there'
    : 'start the collector: it creates the database';
}

function toLockedOpenError(path: string, cause: unknown): AgentError {
  return new AgentError(`cannot open the database ${path}: ${describeLock(path)}`, {
    code: 'DATABASE_UNUSABLE',
    hint: END_LOCK,
    cause,
  });
}

/** Returns whether the driver is missing or built for another platform. */
function isDriverError(error: unknown): boolean {
  return toErrorCode(error) === 'MODULE_NOT_FOUND' || toErrorCode(error) === 'ERR_DLOPEN_FAILED';
}

function toDriverError(cause: unknown): AgentError {
  const [what = ''] = toErrorMessage(cause).split('\n');
  return new AgentError(`cannot load the database driver: ${what}`, {
    code: 'DATABASE_UNUSABLE',
    hint: `install the package for ${platform} ${arch}; in a clone, run npm ci on the machine that runs this program`,
    cause,
  });
}

/** Finds out why a file cannot be opened; SQLite has one message for all causes. */
function findObstacle(path: string): string | undefined {
  const folder = dirname(path);
  const isFile = statIfPresent(path)?.isFile();
  if (isFile === false) return 'set THUGSHELLS_DB_PATH to the database file, not to a folder';
  const nearest = nearestFolder(folder);
  if (statIfPresent(nearest)?.isDirectory() !== true) return `check THUGSHELLS_DB_PATH: ${nearest} is not a folder`;
  const obstacle = checkAccess(isFile === true ? path : nearest) ?? checkAccess(nearest);
  if (obstacle === 'EROFS')
    return `remount the file system of ${nearest}, which is read-only, or set THUGSHELLS_DB_PATH to another one`;
  if (obstacle === undefined) return undefined;
  return `check owner and mode of ${nearest} and of the database in it: the user that this program runs as must be allowed to write both`;
}

/** Returns the folder or the first of its parents that exists. */
function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}

/** Returns undefined if the path does not exist or has a file among its folders. */
function statIfPresent(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function checkAccess(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return toErrorCode(error);
  }
}

function refuseUnsupportedSqlite(database: Database): void {
  const version = database.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? '';
  const numbers = version.split('.').map(Number);
  const difference = OLDEST_SQLITE.map((oldest, index) => (numbers[index] ?? 0) - oldest).find((part) => part !== 0);
  if (difference !== undefined && difference < 0) {
    throw new AgentError(`SQLite ${version} is older than ${OLDEST_SQLITE.join('.')}`, {
      code: 'SQLITE_TOO_OLD',
      hint: 'install the better-sqlite3 that package-lock.json names',
    });
  }
}
