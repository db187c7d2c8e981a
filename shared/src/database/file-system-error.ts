import { readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

import { AgentError, toErrorCode } from '../errors.ts';

/** SQLite's codes for a -shm file that cannot be mapped: in WAL mode its processes share that memory. */
const SHARED_MEMORY_CODES = ['SQLITE_IOERR_SHMMAP', 'SQLITE_IOERR_SHMOPEN', 'SQLITE_IOERR_SHMLOCK'];
/**
 * File systems of which the kernel shares no memory, or not always. There the error is one of the configuration: it does not go
 * away. Elsewhere the same codes come of a disk that fails or of too little memory.
 */
const UNSUPPORTED = /^(9p|virtiofs|fuse|fuseblk|fuse\..+|vboxsf|prl_fs|cifs|smb3)$/;
const HINT = 'set THUGSHELLS_DB_PATH to a file on ext4, f2fs, btrfs or tmpfs';

/** What SQLite needs of a file system. */
export type FileSystemLack = 'cannot lock files' | 'cannot share memory between two programs';

/**
 * Creates the error of a file whose file system lacks what SQLite needs.
 *
 * @param doing what could not be done, such as `open the database`
 */
export function createFileSystemError(
  doing: string,
  path: string,
  { lack, cause }: { readonly lack: FileSystemLack; readonly cause: unknown },
): AgentError {
  const type = findFileSystemType(path);
  const isCertain = UNSUPPORTED.test(type ?? '');
  return new AgentError(`cannot ${doing} ${path}: its file system (${type ?? 'of an unknown type'}) ${lack}`, {
    code: isCertain ? 'FILE_SYSTEM_UNSUPPORTED' : 'DATABASE_UNUSABLE',
    hint: isCertain ? HINT : `check the disk and the free memory, or ${HINT}`,
    cause,
  });
}

/** Whether an error means that the shared memory of WAL mode cannot be used. */
export function isSharedMemoryError(error: unknown): boolean {
  return SHARED_MEMORY_CODES.includes(toErrorCode(error) ?? '');
}

/** Returns the type of the file system that a file is on (proc_pid_mountinfo(5)); undefined if the kernel does not show it. */
export function findFileSystemType(path: string): string | undefined {
  try {
    const folder = realpathSync(dirname(path));
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').flatMap(parseMount);
    const above = mounts.filter(({ point }) => point === '/' || folder === point || folder.startsWith(`${point}/`));
    // Of those on one mount point, the last one is seen.
    return above.reduce((best, each) => (each.point.length >= best.point.length ? each : best), above[0]!).type;
  } catch {
    return undefined;
  }
}

/** `36 35 98:0 /root /mount\040point rw,noatime master:1 - ext3 /dev/root rw`; the fields before the hyphen vary in number. */
function parseMount(line: string): { readonly point: string; readonly type: string }[] {
  const [before = '', after = ''] = line.split(' - ');
  const point = before.split(' ')[4];
  const type = after.split(' ')[0];
  if (point === undefined || type === undefined || type === '') return [];
  const unescaped = point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return [{ point: unescaped, type }];
}
