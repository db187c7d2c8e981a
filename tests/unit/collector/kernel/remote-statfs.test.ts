import { statfsSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import { KernelFiles } from '../../../../collector/src/kernel/kernel-files.ts';
import { RemoteStatfs } from '../../../../collector/src/kernel/remote-statfs.ts';

test('counts are those that statfs(2) gives', async () => {
  const { bsize, blocks } = statfsSync('/');
  const counts = await new RemoteStatfs().statfs('/');
  expect(counts.bsize * counts.blocks).toBe(bsize * blocks);
  expect(counts.bavail).toBeGreaterThan(0);
});

test('a path is taken as it is, however it looks', async () => {
  await expect(new RemoteStatfs().statfs('-f')).rejects.toThrow(/-f/);
  await expect(new RemoteStatfs().statfs('/no such; ls')).rejects.toMatchObject({ code: 'ENOENT' });
});

describe('KernelFiles.statfs', () => {
  const files = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });

  test('a remote mount has the space that a local one would have', async () => {
    expect((await files.statfs('/', 'remote')).sizeBytes).toBe((await files.statfs('/', 'local')).sizeBytes);
  });

  test('a mount that has gone is absent, and what cannot be asked is unreadable, in the words of stat', async () => {
    await expect(files.statfs('/nowhere', 'remote')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
    await expect(files.statfs('/proc/self/stat/x', 'remote')).rejects.toMatchObject({
      code: 'KERNEL_FILE_UNREADABLE',
      message: expect.stringContaining('Not a directory'),
    });
  });
});
