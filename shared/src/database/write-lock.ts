import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { pid as ownPid } from 'node:process';

import { AgentError, toErrorCode } from '../errors.ts';
import type { Database } from './open.ts';

/** One line of /proc/locks (proc_locks(5)). */
interface FileLock {
  readonly pid: number;
  /** `major:minor:inode` as the kernel prints it. */
  readonly file: string;
  readonly isWrite: boolean;
  readonly firstByte: number;
  readonly lastByte: number;
}

/** The byte of the -shm file that stands for the write lock (SQLite's file format, section 2.3.1, WAL_WRITE_LOCK). */
const WAL_WRITE_LOCK = 120;
/** The byte of the -shm file that each connection locks for as long as it is open (UNIX_SHM_DMS). */
const CONNECTED_LOCK = 128;
/** The first of the bytes of the database file that `locking_mode = EXCLUSIVE` locks (SHARED_FIRST). */
const SHARED_FIRST = 0x40000002;
const LOCKED_CODE = 'DATABASE_LOCKED';
/** What an operator can do about a program that has the database locked. */
export const END_LOCK = 'end that program or its transaction';
/** A program names itself: nothing but a short plain word of it is shown. */
const MAX_NAME_LENGTH = 32;

/** Returns whether an error or its cause means that another connection holds the lock. */
export function isLocked(error: unknown): boolean {
  for (let each = error; each !== undefined && each !== null; each = (each as { cause?: unknown }).cause) {
    const code = toErrorCode(each);
    if (code === LOCKED_CODE || code?.startsWith('SQLITE_BUSY') === true) return true;
  }
  return false;
}

/** Returns whether the write lock could be taken now: it is taken and released, without waiting and without a change. */
export function isWriteLockFree(database: Database): boolean {
  const timeoutMs = database.pragma('busy_timeout', { simple: true }) as number;
  database.pragma('busy_timeout = 0');
  try {
    database.transaction(() => undefined).immediate();
    return true;
  } catch (error) {
    if (isLocked(error)) return false;
    throw error;
  } finally {
    database.pragma(`busy_timeout = ${timeoutMs}`);
  }
}

/**
 * Returns without waiting if the write lock is free.
 *
 * @param database if undefined, only a program that /proc/locks shows is known to hold the lock
 * @throws AgentError DATABASE_LOCKED, naming the program that holds it
 */
export function requireWriteLock(databasePath: string, database: Database | undefined): void {
  const isFree = database === undefined ? findLockHolder(databasePath) === undefined : isWriteLockFree(database);
  if (!isFree) throw toLockError(databasePath);
}

/** Creates the error of a database that another program keeps locked, and names that program. */
export function toLockError(databasePath: string, cause?: unknown): AgentError {
  return new AgentError(describeLock(databasePath), {
    code: LOCKED_CODE,
    hint: END_LOCK,
    cause,
  });
}

/** Describes a locked database for a message: `the database is locked by python3 (pid 4711)`. */
export function describeLock(databasePath: string): string {
  return `the database is locked by ${findLockHolder(databasePath) ?? 'a process that /proc/locks does not show'}`;
}

/**
 * Finds the other process that keeps this one from writing to a database.
 *
 * @returns `name (pid 123)`; undefined if the kernel shows none, as with a process of another container
 */
export function findLockHolder(databasePath: string): string | undefined {
  try {
    const locks = readFileSync('/proc/locks', 'utf8').split('\n').flatMap(parseLock);
    const holder =
      findWriter(locks, findFileId(locks, `${databasePath}-shm`), WAL_WRITE_LOCK) ??
      findWriter(locks, findFileId(locks, databasePath), SHARED_FIRST);
    return holder === undefined ? undefined : `${readName(holder)} (pid ${holder})`;
  } catch {
    // Not Linux, or the file is gone: the name is optional.
    return undefined;
  }
}

/** `1: POSIX  ADVISORY  WRITE 4711 08:02:131090 120 120`; lines with `->` wait for a lock. */
function parseLock(line: string): FileLock[] {
  const [, kind, , mode, pid, file, first, last] = line.trim().split(/\s+/);
  if (kind !== 'POSIX' || file === undefined) return [];
  const lastByte = last === 'EOF' ? Number.MAX_SAFE_INTEGER : Number(last);
  return [{ pid: Number(pid), file, isWrite: mode === 'WRITE', firstByte: Number(first), lastByte }];
}

/**
 * Returns how the kernel names a file. On btrfs and overlayfs, stat(2) reports another device than /proc/locks, so it is
 * taken from the lock that this process itself has on the file, if there is one. Undefined if there is no such file: a
 * program that has a database to itself needs no -shm file.
 */
function findFileId(locks: readonly FileLock[], path: string): string | undefined {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (status === undefined) return undefined;
  const { dev, ino } = status;
  const own = locks.find(
    ({ pid, file, firstByte }) => pid === ownPid && firstByte === CONNECTED_LOCK && file.endsWith(`:${ino}`),
  );
  return own?.file ?? `${toDeviceId(dev)}:${ino}`;
}

/** Returns a device number as the kernel prints it, in two hexadecimal digits or more (makedev(3)). */
function toDeviceId(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
}

function findWriter(locks: readonly FileLock[], file: string | undefined, byte: number): number | undefined {
  return locks.find(
    (lock) =>
      lock.file === file &&
      lock.isWrite &&
      lock.firstByte <= byte &&
      lock.lastByte >= byte &&
      lock.pid !== ownPid &&
      lock.pid > 0,
  )?.pid;
}

/** Returns the name of a process's program. With ProtectProc=invisible, processes of other users are hidden. */
function readName(pid: number): string {
  try {
    const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const name = basename(program).replaceAll(/[^\w.+-]/g, '?');
    return name === '' ? 'a process' : name.slice(0, MAX_NAME_LENGTH);
  } catch {
    return 'a process of another user';
  }
}
