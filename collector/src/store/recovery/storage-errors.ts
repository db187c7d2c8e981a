import { isCorruption } from '@thugshells/shared/database/open.ts';
import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

/**
 * What a fault of the database calls for:
 *
 *   corrupt    the file is not what SQLite wrote: it is moved aside and a new one made
 *   full       there is no room for more: room is made where that is possible, and samples wait in memory
 *   unusable   the disk does not answer, is read-only, or another program holds it: samples wait in memory
 */
export type StorageErrorKind = 'corrupt' | 'full' | 'unusable';

const FULL_CODES = ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT'];

/** Which fault an error is, looking through its causes; everything that is not known otherwise is `unusable`. */
export function classifyStorageError(error: unknown): StorageErrorKind {
  for (let each = error; each !== undefined && each !== null; each = (each as { cause?: unknown }).cause) {
    if (isCorruption(each)) return 'corrupt';
    if (FULL_CODES.includes(toErrorCode(each) ?? '')) return 'full';
  }
  return 'unusable';
}

/** The fault in words for health and the log, with what an operator can do. */
export function describeStorageError(error: unknown): { readonly reason: string; readonly hint: string } {
  const hints: Readonly<Record<StorageErrorKind, string>> = {
    corrupt: 'nothing to do: the corrupt file is kept beside the new one',
    full: 'free space on the disk, or lower THUGSHELLS_DB_MAX_SIZE; samples are buffered in memory meanwhile',
    unusable:
      'check the disk, its mount options and the owner of the database; samples are buffered in memory meanwhile',
  };
  const ownHint = error instanceof AgentError ? error.hint : undefined;
  return { reason: toErrorMessage(error), hint: ownHint ?? hints[classifyStorageError(error)] };
}
