/**
 * Which files belong to the databases that this process has open, and how to read them without SQLite.
 *
 * POSIX locks belong to a process and a file: closing any descriptor of the file drops all of them, those that SQLite took
 * by another descriptor included (fcntl(2); https://sqlite.org/howtocorrupt.html, 2.2). Then another program takes itself
 * for the last one and deletes the WAL, or for the only one and starts. Whatever else opens files asks here first.
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { readFileId } from './file-ids.ts';

/** What makes a file the same one under any name. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** A connection, and the files that it has had: they may have been moved away since. */
interface Connection {
  readonly database: { readonly open: boolean };
  readonly path: string;
  readonly files: Set<string>;
}

const SIDE_FILES = ['', '-wal', '-shm', '-journal'] as const;
/** Names of databases by folder; they stay when the database is closed, which may be opened again at any time. */
const namesByFolder = new Map<string, Set<string>>();
let connections: Connection[] = [];
/** Descriptors of raw reads that are over, which cannot be closed while a connection has the file open. */
let parked: { readonly key: string; readonly descriptor: number }[] = [];
const reading = new Set<number>();

const toKey = ({ dev, ino }: FileIdentity): string => `${dev}:${ino}`;

/** Remembers the path of a database; to be called before SQLite opens it. */
export function registerDatabase(path: string): void {
  registerName(path);
  try {
    // SQLite resolves links: WAL and shared memory stand beside the file itself.
    registerName(realpathSync(path));
  } catch {
    // It does not exist yet.
  }
}

/** Remembers the files of a connection for as long as it is open. */
export function registerConnection(path: string, database: { readonly open: boolean }): void {
  connections = connections.filter((each) => each.database.open);
  const connection = { database, path, files: new Set<string>() };
  connections.push(connection);
  addPresentFiles(connection);
}

/** Returns the path of the database that a file belongs to; undefined for any other file. */
export function findDatabaseOf(file: FileIdentity): string | undefined {
  const key = toKey(file);
  const open = connections.filter(({ database }) => database.open);
  // SQLite creates WAL and shared memory when it first needs them.
  for (const connection of open) addPresentFiles(connection);
  const owner = open.find(({ files }) => files.has(key));
  if (owner !== undefined) return owner.path;
  for (const [folder, names] of namesByFolder) {
    for (const [name, database] of listDatabaseFiles(folder, names))
      if (findKey(join(folder, name)) === key) return join(folder, database);
  }
  return undefined;
}

/** Opens a file of a database to read it without SQLite; closeRawFile() closes it. */
export function openRawFile(path: string): number {
  const key = findKey(path);
  const known = parked.find((each) => each.key === key);
  parked = parked.filter((each) => each !== known);
  const descriptor = known?.descriptor ?? openSync(path, 'r');
  reading.add(descriptor);
  return descriptor;
}

/** Closes a file that openRawFile() opened, or keeps it for later if a connection of any thread has it open. */
export function closeRawFile(descriptor: number): void {
  reading.delete(descriptor);
  parked.push({ key: toKey(fstatSync(descriptor, { bigint: true })), descriptor });
  const inUse = findFilesInUse();
  for (const each of parked) if (!inUse.has(each.key)) closeSync(each.descriptor);
  parked = parked.filter(({ key }) => inUse.has(key));
}

/** Reads a small text file beside a database. */
export function readRawFile(path: string): string {
  const descriptor = openRawFile(path);
  try {
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeRawFile(descriptor);
  }
}

/** Returns the files that any thread of this process has open otherwise than by raw reads that are over. */
function findFilesInUse(): Set<string> {
  const over = new Set(parked.map(({ descriptor }) => descriptor));
  const others = listNames('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => !over.has(descriptor));
  return new Set(others.flatMap((descriptor) => findDescriptorKey(descriptor) ?? []));
}

function addPresentFiles({ path, files }: Connection): void {
  for (const suffix of SIDE_FILES) {
    const key = findKey(path + suffix);
    if (key !== undefined) files.add(key);
  }
}

function registerName(path: string): void {
  const folder = dirname(path);
  const names = namesByFolder.get(folder) ?? new Set<string>();
  const name = basename(path);
  if (![...names].some((known) => belongsTo(name, known))) names.add(name);
  namesByFolder.set(folder, names);
}

/** Whether a name is a database's or that of a file beside it: `metrics.db-wal`, `metrics.db.ballast`. */
function belongsTo(name: string, database: string): boolean {
  return name.startsWith(database) && ['', '-', '.'].includes(name.charAt(database.length));
}

/** Lists the names of files in a folder, each with that of its database. */
function* listDatabaseFiles(folder: string, databases: ReadonlySet<string>): Generator<[string, string]> {
  const listed = listNames(folder);
  // Without the right to list the folder, the names of database, WAL and shared memory are known all the same.
  const names =
    listed.length > 0 ? listed : [...databases].flatMap((each) => SIDE_FILES.map((suffix) => each + suffix));
  for (const name of names) for (const database of databases) if (belongsTo(name, database)) yield [name, database];
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function findKey(path: string): string | undefined {
  try {
    return readFileId(path);
  } catch {
    return undefined;
  }
}

function findDescriptorKey(descriptor: number): string | undefined {
  try {
    return toKey(fstatSync(descriptor, { bigint: true }));
  } catch {
    // Closed by another thread meanwhile.
    return undefined;
  }
}
