import { randomUUID } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { AgentError, toErrorCode, toErrorMessage } from '../errors.ts';
import { createFileSystemError } from './file-system-error.ts';
import { isBusy, isCorruption, openSideFile, type Database } from './open.ts';

/** A held lock; the kernel drops it with the process, however that ends. */
export interface InstanceLock {
  release(): void;
}

const ROLES = ['collector', 'uploader'] as const;
type Role = (typeof ROLES)[number];

/** Keeps the side files referenced: garbage collection would close one, and its lock would end with it. */
const held = new Set<Database>();

/**
 * Makes this process the only one of its role on a database, by an exclusive transaction on a side file. The lock is taken
 * for held only if that file can be written: SQLite opens one that cannot for reading, and then BEGIN EXCLUSIVE takes
 * nothing. Nor may the file be another one of the database, whose locks SQLite drops when it closes that.
 *
 * Nothing may open the side file by other means in this process: closing any descriptor of a file drops
 * all POSIX locks that the process holds on it.
 *
 * @throws AgentError ANOTHER_INSTANCE while another process holds it, DATABASE_UNUSABLE or FILE_SYSTEM_UNSUPPORTED if it cannot
 *   be taken
 */
export function takeInstanceLock(databasePath: string, role: Role): InstanceLock {
  const database = resolveLinks(databasePath);
  const path = toLockPath(database, role);
  requireReadable(path, () => requireOwnFile(path, database, role));
  const file = lock(path, { databasePath, role });
  held.add(file);
  return {
    release() {
      held.delete(file);
      file.close();
    },
  };
}

function toLockPath(databasePath: string, role: Role): string {
  return `${databasePath}.${role}-lock`;
}

/** Returns the path without links: two paths of one database have one lock. SQLite puts the WAL beside the same file. */
function resolveLinks(path: string): string {
  for (const [existing, rest] of [
    [path, ''],
    [dirname(path), basename(path)],
  ] as const) {
    try {
      return join(realpathSync(existing), rest);
    } catch {
      // It does not exist yet.
    }
  }
  return path;
}

/** @throws AgentError also for an error of the system, such as of a network file system that is gone */
function requireReadable(path: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw toLockError(path, error, `check the file system of ${dirname(path)}`);
  }
}

/** Requires that the lock file is a regular file of its own, or missing. */
function requireOwnFile(path: string, databasePath: string, role: Role): void {
  const status = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  if (status === undefined) return;
  if (!status.isFile()) throw toLockError(path, `it is not a regular file`, `remove ${path}`);
  const others = [
    ...['', '-wal', '-shm', '-journal'].map((suffix) => databasePath + suffix),
    ...ROLES.filter((each) => each !== role).map((each) => toLockPath(databasePath, each)),
  ];
  const same = others.find((other) => {
    const found = statSync(other, { throwIfNoEntry: false, bigint: true });
    return found?.ino === status.ino && found.dev === status.dev;
  });
  if (same !== undefined) throw toLockError(path, `it is the same file as ${same}`, `remove ${path}`);
}

interface LockOwner {
  readonly databasePath: string;
  readonly role: Role;
}

/** Takes the lock. What stands in the file that is not SQLite's is removed, which only happens while nobody holds the lock. */
function lock(path: string, owner: LockOwner, mayEmpty = true): Database {
  const file = openLockFile(path);
  try {
    // Without a journal on disk, a kill leaves nothing that the next start would have to roll back.
    file.pragma('journal_mode = MEMORY');
    file.exec('BEGIN EXCLUSIVE');
    // Never committed. It fails if SQLite has opened the file for reading only.
    file.pragma('user_version = 1');
    return file;
  } catch (error) {
    file.close();
    // SQLite reads a file after it has locked it: whoever comes here has seen that no other process holds the lock.
    if (mayEmpty && (isCorruption(error) || (isReadOnly(error) && isWritable(path)))) {
      emptyFile(path);
      return lock(path, owner, false);
    }
    throw describeFailure(path, owner, error);
  }
}

function openLockFile(path: string): Database {
  try {
    return openSideFile(path);
  } catch (error) {
    const hint = error instanceof AgentError ? error.hint : undefined;
    throw toLockError(path, error, hint ?? writeHint(path));
  }
}

/**
 * Empties a lock file in place. A new file under its name would be another lock: two processes that do this at the same
 * time could each hold one.
 */
function emptyFile(path: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
    // It may be somebody's file under another name.
    if (fstatSync(descriptor).nlink > 1) throw new Error('it is not a lock file, and has another name');
    ftruncateSync(descriptor);
  } catch (error) {
    throw toLockError(path, error, `remove ${path}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function describeFailure(path: string, { databasePath, role }: LockOwner, cause: unknown): AgentError {
  // SQLite takes ENOLCK of fcntl(2) for a lock that another process holds.
  if (isBusy(cause) && !canLock(dirname(path)))
    return createFileSystemError('take the instance lock', path, { lack: 'cannot lock files', cause });
  if (isBusy(cause))
    return new AgentError(`cannot start: another ${role} uses ${databasePath}`, {
      code: 'ANOTHER_INSTANCE',
      hint: `stop the other ${role} first; its lock ${path} ends with its process`,
      cause,
    });
  if (isReadOnly(cause)) return toLockError(path, 'it may not be written', writeHint(path), cause);
  return toLockError(path, cause, `check the disk, and remove ${path}`);
}

/** Whether a file that no other process knows can be locked in a folder. */
function canLock(folder: string): boolean {
  const path = join(folder, `.lock-probe-${randomUUID()}`);
  let file: Database | undefined;
  try {
    file = openSideFile(path);
    file.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    return !isBusy(error);
  } finally {
    file?.close();
    rmSync(path, { force: true });
  }
}

function isReadOnly(error: unknown): boolean {
  return toErrorCode(error)?.startsWith('SQLITE_READONLY') === true;
}

/** Whether this process may write a file: then SQLite takes it for read-only because of what stands in it. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function writeHint(path: string): string {
  return `run: chown --reference=${dirname(path)} ${path} && chmod 664 ${path}; if it is immutable or its file system read-only, chattr -i or remount it`;
}

function toLockError(path: string, reason: unknown, hint: string, cause: unknown = reason): AgentError {
  return new AgentError(`cannot take the instance lock ${path}: ${toErrorMessage(reason)}`, {
    code: 'DATABASE_UNUSABLE',
    hint,
    cause,
  });
}
