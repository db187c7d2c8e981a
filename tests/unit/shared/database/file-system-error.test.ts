import { mkdirSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import {
  createFileSystemError,
  findFileSystemType,
  isSharedMemoryError,
} from '../../../../shared/src/database/file-system-error.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();

describe('file system', () => {
  test('has the type of the mount that a file is on, not of one above it', () => {
    expect([findFileSystemType('/proc/self/metrics.db'), findFileSystemType('/sys/metrics.db')]).toEqual([
      'proc',
      'sysfs',
    ]);
    expect(findFileSystemType('/dev/pts/metrics.db')).toBe('devpts');
  });

  test('of a folder that is missing is not known', () => {
    expect(findFileSystemType(folder.path('missing/metrics.db'))).toBeUndefined();
  });

  test('that supports shared memory is not called unsupported: a disk that fails may recover', () => {
    mkdirSync(folder.path('state'));
    const cause = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_SHMMAP' });
    expect(isSharedMemoryError(cause)).toBe(true);
    const lack = 'cannot share memory between two programs';
    const error = createFileSystemError('open the database', folder.path('state/metrics.db'), { lack, cause });
    expect(error).toMatchObject({ code: 'DATABASE_UNUSABLE', cause });
    expect(error.hint).toMatch(/^check the disk and the free memory, or set THUGSHELLS_DB_PATH/);
  });

  test('is not at fault for other errors', () => {
    for (const code of ['SQLITE_IOERR_READ', 'SQLITE_IOERR_SHMSIZE', 'SQLITE_CANTOPEN', undefined])
      expect([code, isSharedMemoryError(Object.assign(new Error('x'), { code }))]).toEqual([code, false]);
  });
});
