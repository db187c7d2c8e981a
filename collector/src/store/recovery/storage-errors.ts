import { isCorruption } from '@thugshells/shared/database/open.ts';
import { isLocked } from '@thugshells/shared/database/write-lock.ts';
import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

/**
 * Kinds of storage errors, by what the store does about them:
 *
 *   corrupt    the file is not what SQLite wrote: it is moved aside and rebuilt
 *   full       the disk is full: samples are evicted if that is possible, new ones are buffered in memory
 *   locked     another program holds the lock: samples are buffered in memory, and commits retried soon
 *   unusable   the disk fails or is read-only: samples are buffered in memory
 */
export type StorageErrorKind = 'corrupt' | 'full' | 'locked' | 'unusable';

const FULL_CODES = ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT'];

/** Classifies an error by itself and its causes; an unknown one is `unusable`. */
export function classifyStorageError(error: unknown): StorageErrorKind {
  for (let each = error; each !== undefined && each !== null; each = (each as { cause?: unknown }).cause) {
    if (isCorruption(each)) return 'corrupt';
    if (FULL_CODES.includes(toErrorCode(each) ?? '')) return 'full';
  }
  return isLocked(error) ? 'locked' : 'unusable';
}

/** Describes an error for health and the log, with what an operator can do. */
export function describeStorageError(error: unknown): { readonly reason: string; readonly hint: string } {
  const hints: Readonly<Record<StorageErrorKind, string>> = {
    corrupt: 'check the card or disk; the corrupt file is kept beside the new one',
    full: 'free space on the disk, or lower THUGSHELLS_DB_MAX_SIZE; samples are buffered in memory meanwhile',
    locked: 'end the program that locks the database; samples are buffered in memory meanwhile',
    unusable:
      'check the disk, its mount options and the owner of the database; samples are buffered in memory meanwhile',
  };
  const ownHint = error instanceof AgentError ? error.hint : undefined;
  return { reason: toErrorMessage(error), hint: ownHint ?? hints[classifyStorageError(error)] };
}
