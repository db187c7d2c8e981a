// Longer than a test should be: each error of a kernel file is a case, for one source and its siblings.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

import {
  toKernelFileError,
  createMalformedError,
  readOptional,
} from '../../../../collector/src/kernel/kernel-file-errors.ts';
import { KernelFiles, requireProcRoot } from '../../../../collector/src/kernel/kernel-files.ts';
import { findHeldLocks } from '../../../support/held-locks.ts';
import { readRecorded, findRecording } from '../../../support/collector/text-kernel.ts';

let root: string;
let files: KernelFiles;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kernel-files-'));
  mkdirSync(join(root, 'proc/net'), { recursive: true });
  mkdirSync(join(root, 'sys/block/vdb'), { recursive: true });
  mkdirSync(join(root, 'sys/block/vda'));
  files = new KernelFiles({ procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') });
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

describe('reading', () => {
  test('gives the text of files below either root', async () => {
    writeFileSync(join(root, 'proc/net/dev'), 'received\n');
    writeFileSync(join(root, 'sys/block/vda/size'), '8\n');
    expect(await files.proc('net/dev')).toBe('received\n');
    expect(await files.sys('block/vda/size')).toBe('8\n');
  });

  test('gives the sorted names of a directory', async () => {
    expect(await files.sysEntries('block')).toEqual(['vda', 'vdb']);
  });

  test('kernel files: a link leads to a path below the root, also through a link; what is none leads nowhere', async () => {
    mkdirSync(join(root, 'sys/devices/pci0/nvme0/hwmon3'), { recursive: true });
    mkdirSync(join(root, 'sys/class/hwmon'), { recursive: true });
    symlinkSync('../../devices/pci0/nvme0/hwmon3', join(root, 'sys/class/hwmon/hwmon3'));
    symlinkSync('../../nvme0', join(root, 'sys/devices/pci0/nvme0/hwmon3/device'));
    expect(await files.sysLink('class/hwmon/hwmon3')).toBe('devices/pci0/nvme0/hwmon3');
    expect(await files.sysLink('devices/pci0/nvme0/hwmon3/device')).toBe('devices/pci0/nvme0');
    expect(await files.sysLink('block/vda')).toBeUndefined();
    symlinkSync('../devices/gone', join(root, 'sys/class/gone'));
    expect(await files.sysLink('class/gone')).toBe('devices/gone');
    await expect(files.sysLink('class/hwmon/hwmon4')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
    // This machine's own sysfs, in which links are read at once.
    const real = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });
    expect(await real.sysLink('class/net/lo')).toBe('devices/virtual/net/lo');
    expect(await real.sysLink('class/net')).toBeUndefined();
  });

  test('gives the whole text of a recording', async () => {
    const recording = new KernelFiles({
      procRoot: join(findRecording('x86-vm'), 'proc'),
      sysRoot: join(findRecording('x86-vm'), 'sys'),
    });
    expect(await recording.proc('stat')).toBe(readRecorded('proc/stat'));
  });

  test.each([0, 1, 16_383, 16_384, 16_385, 100_000, 4 * 1024 * 1024])(
    'loses nothing of a file of %d bytes',
    async (size) => {
      const text = 'x'.repeat(size);
      writeFileSync(join(root, 'proc/stat'), text);
      expect((await files.proc('stat')) === text).toBe(true);
    },
  );

  test('refuses a file that is larger than any kernel writes', async () => {
    writeFileSync(join(root, 'proc/stat'), 'x'.repeat(4 * 1024 * 1024 + 1));
    await expect(files.proc('stat')).rejects.toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: expect.stringContaining('more than 4194304 bytes'),
    });
  });

  test.each(['proc', 'sys'] as const)('leaves a database below the %s root and its locks alone', async (door) => {
    const path = join(root, door, 'stat');
    const database = openDatabase(path, { create: true });
    try {
      database.exec('CREATE TABLE rows (id)');
      const locks = findHeldLocks(path);
      await expect(files[door]('stat')).rejects.toMatchObject({
        code: 'KERNEL_FILE_UNREADABLE',
        message: `cannot read ${path}: it is a file of the database ${path}`,
      });
      expect(locks).toHaveLength(1);
      expect(findHeldLocks(path)).toEqual(locks);
    } finally {
      database.close();
    }
  });

  test('stops reading a file that never ends', async () => {
    symlinkSync('/dev/zero', join(root, 'proc/stat'));
    await expect(files.proc('stat')).rejects.toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
  });

  test.each(['sys', 'proc'] as const)(
    'leaves the event loop free while a file hangs that is below the %s root and not of procfs',
    async (door) => {
      const pipe = join(root, door, 'pipe');
      execFileSync('mkfifo', [pipe]);
      let text: string | undefined;
      const reading = files[door]('pipe').then((read) => (text = read));
      for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      expect(text).toBeUndefined();
      await writeFile(pipe, 'at last\n');
      expect(await reading).toBe('at last\n');
    },
  );
});

describe('files of procfs and directories of sysfs', () => {
  const kernel = () => new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });

  test('are read without a turn of the event loop, from the second read on', async () => {
    const real = kernel();
    await real.proc('loadavg');
    const names = await real.sysEntries('class');
    let turned = false;
    const turn = new Promise<void>((resolve) => setImmediate(() => resolve(void (turned = true))));
    expect(await real.proc('loadavg')).toMatch(/^\d+\.\d\d /);
    expect(await real.sysEntries('class')).toEqual(names);
    expect(turned).toBe(false);
    await turn;
  });

  test('are read to their end, also when they are larger than the first buffer and the next one is not', async () => {
    const real = kernel();
    const version = readFileSync('/proc/version', 'utf8');
    const all = readFileSync('/proc/kallsyms', 'latin1');
    for (const round of [1, 2]) {
      expect([round, await real.proc('version')]).toEqual([round, version]);
      // Of every kernel far larger than what may be read.
      if (all.length > 4 * 1024 * 1024)
        await expect(real.proc('kallsyms')).rejects.toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
      else expect(await real.proc('kallsyms')).toBe(all);
    }
  });

  test('are absent, or unreadable, as others are', async () => {
    const real = kernel();
    await expect(real.proc('no such file')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
    for (const _round of [1, 2]) {
      await expect(real.proc('net')).rejects.toMatchObject({
        code: 'KERNEL_FILE_UNREADABLE',
        cause: expect.objectContaining({ code: 'EISDIR' }),
      });
    }
  });
});

test('kernel files: counts the names in a directory, and the descriptors of a process', async () => {
  writeFileSync(join(root, 'proc/net/dev'), '');
  writeFileSync(join(root, 'proc/net/route'), '');
  expect(await files.procEntryCount('net')).toBe(2);
  const real = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });
  expect(await real.procEntryCount('sys/fs')).toBe(readdirSync('/proc/sys/fs').length);
  const child = spawn('sh', ['-c', 'exec 5< /dev/null; echo ready; read _']);
  try {
    await once(child.stdout, 'data');
    const descriptors = readdirSync(`/proc/${child.pid}/fd`);
    expect(descriptors).toContain('5');
    expect(await real.procEntryCount(`${child.pid}/fd`)).toBe(descriptors.length);
  } finally {
    child.kill();
  }
  await expect(real.procEntryCount('no such directory')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
});

describe('the space of a mount', () => {
  test('equals the output of stat -f', async () => {
    const [size, blocks] = execFileSync('stat', ['-f', '-c', '%s %b', '/'], { encoding: 'utf8' })
      .split(' ')
      .map(Number);
    const space = await files.statfs('/', 'local');
    expect(space.sizeBytes).toBe((size ?? 0) * (blocks ?? 0));
    expect(space.availableBytes).toBeGreaterThan(0);
    expect(space.availableBytes).toBeLessThanOrEqual(space.sizeBytes);
  });

  test('is absent where there is no such path, and unreadable if the system refuses it', async () => {
    await expect(files.statfs(join(root, 'nowhere'), 'local')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
    symlinkSync('round', join(root, 'round'));
    await expect(files.statfs(join(root, 'round'), 'local')).rejects.toMatchObject({ code: 'KERNEL_FILE_UNREADABLE' });
  });
});

describe('a proc root', () => {
  test('without a file "stat" is refused by the name of its variable, with a hint', () => {
    const wrong = join(root, 'proc');
    const refused = {
      code: 'BAD_CONFIGURATION',
      message: expect.stringContaining(`THUGSHELLS_PROC_ROOT=${wrong}`),
      hint: expect.any(String),
    };
    expect(() => requireProcRoot(wrong)).toThrow(expect.objectContaining(refused));
    expect(() => requireProcRoot(join(root, 'nowhere'))).toThrow(
      expect.objectContaining({ code: 'BAD_CONFIGURATION' }),
    );
  });

  test('with one is taken, whatever is in it', () => {
    writeFileSync(join(root, 'proc/stat'), '');
    expect(() => requireProcRoot(join(root, 'proc'))).not.toThrow();
  });
});

describe('a file that cannot be read', () => {
  const absent = { code: 'KERNEL_FILE_ABSENT' };

  test('is absent when it is missing', async () => {
    const error = await files.proc('pressure/io').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ ...absent, cause: expect.objectContaining({ code: 'ENOENT' }) });
    expect((error as AgentError).message).toContain(join(root, 'proc/pressure/io'));
    await expect(files.sysEntries('class/thermal')).rejects.toMatchObject(absent);
  });

  test('is absent when a part of its path is a file', async () => {
    writeFileSync(join(root, 'proc/pressure'), '');
    await expect(files.proc('pressure/io')).rejects.toMatchObject(absent);
    await expect(files.sysEntries('../proc/pressure')).rejects.toMatchObject(absent);
  });

  test('is absent when nothing is behind it', async () => {
    const server = createServer().listen(join(root, 'sys/sensor'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      // Opening a socket as a file is ENXIO, which drivers answer for sensors that are not plugged in.
      await expect(files.sys('sensor')).rejects.toMatchObject(absent);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each(['ENODEV', 'ENOTSUP'])('is absent when the kernel answers %s', (code) => {
    expect(toKernelFileError('/sys/x', Object.assign(new Error(code), { code })).code).toBe('KERNEL_FILE_ABSENT');
  });

  test('is unreadable when it is a directory, with path, cause and hint', async () => {
    const error = await files.proc('net').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_UNREADABLE', cause: expect.objectContaining({ code: 'EISDIR' }) });
    expect((error as AgentError).message).toContain(join(root, 'proc/net'));
    expect((error as AgentError).hint).toContain(join(root, 'proc/net'));
  });

  test('is unreadable when its links go round', async () => {
    symlinkSync('stat', join(root, 'proc/stat'));
    await expect(files.proc('stat')).rejects.toMatchObject({ code: 'KERNEL_FILE_UNREADABLE' });
  });

  test.each(['EACCES', 'EPERM', 'EIO', 'EMFILE', 'constructor', ''])(
    'is unreadable when the answer is "%s"',
    (code) => {
      expect(toKernelFileError('/proc/x', Object.assign(new Error(code), { code })).code).toBe(
        'KERNEL_FILE_UNREADABLE',
      );
    },
  );
});

describe('where a source is absent', () => {
  test('something else can stand in for it', async () => {
    expect(await readOptional(files.proc('pressure/io'), 'nothing')).toBe('nothing');
    expect(await readOptional(Promise.resolve('text'), 'nothing')).toBe('text');
  });

  test('other faults are not hidden', async () => {
    await expect(readOptional(files.proc('net'), 'nothing')).rejects.toMatchObject({ code: 'KERNEL_FILE_UNREADABLE' });
    await expect(readOptional(Promise.reject(createMalformedError('/proc/stat', 'empty')), '')).rejects.toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: 'cannot parse /proc/stat: empty',
    });
  });
});
