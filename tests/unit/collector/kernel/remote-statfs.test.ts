import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

test('the messages of stat are understood whatever the language of the system', async () => {
  const { PATH = '', LC_ALL } = process.env;
  // A stat with translations, which need not be installed here.
  const folder = mkdtempSync(join(tmpdir(), 'stat-'));
  const script = `[ "$LC_ALL" = C ] && end='Permission denied' || end='Keine Berechtigung'; echo "stat: $end" >&2; exit 1`;
  writeFileSync(join(folder, 'stat'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  Object.assign(process.env, { PATH: `${folder}:${PATH}`, LC_ALL: 'de_DE.UTF-8' });
  try {
    await expect(new RemoteStatfs().statfs('/')).rejects.toMatchObject({ code: 'EACCES' });
  } finally {
    process.env['PATH'] = PATH;
    if (LC_ALL === undefined) delete process.env['LC_ALL'];
    else process.env['LC_ALL'] = LC_ALL;
    rmSync(folder, { recursive: true });
  }
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
