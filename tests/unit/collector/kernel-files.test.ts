import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.js';

import { KernelFiles, kernelFileFault, malformed, whereAbsent } from '../../../collector/src/kernel-files.js';
import { RECORDING, recorded } from './text-kernel.js';

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

  test('gives the whole text of a recording', async () => {
    const recording = new KernelFiles({ procRoot: join(RECORDING, 'proc'), sysRoot: join(RECORDING, 'sys') });
    expect(await recording.proc('stat')).toBe(recorded('proc/stat'));
  });

  test.each([0, 1, 16_383, 16_384, 16_385, 100_000, 4 * 1024 * 1024])('loses nothing of a file of %d bytes', async (size) => {
    const text = 'x'.repeat(size);
    writeFileSync(join(root, 'proc/stat'), text);
    expect((await files.proc('stat')) === text).toBe(true);
  });

  test('refuses a file that is larger than any kernel writes', async () => {
    writeFileSync(join(root, 'proc/stat'), 'x'.repeat(4 * 1024 * 1024 + 1));
    await expect(files.proc('stat')).rejects.toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: expect.stringContaining('too large'),
    });
  });

  test('stops reading a file that never ends', async () => {
    symlinkSync('/dev/zero', join(root, 'proc/stat'));
    await expect(files.proc('stat')).rejects.toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
  });

  test('leaves the event loop free while a file hangs', async () => {
    execFileSync('mkfifo', [join(root, 'proc/stat')]);
    let text: string | undefined;
    const reading = files.proc('stat').then((read) => (text = read));
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(text).toBeUndefined();
    await writeFile(join(root, 'proc/stat'), 'at last\n');
    expect(await reading).toBe('at last\n');
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
    expect(kernelFileFault('/sys/x', Object.assign(new Error(code), { code })).code).toBe('KERNEL_FILE_ABSENT');
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

  test.each(['EACCES', 'EPERM', 'EIO', 'EMFILE', 'constructor', ''])('is unreadable when the answer is "%s"', (code) => {
    expect(kernelFileFault('/proc/x', Object.assign(new Error(code), { code })).code).toBe('KERNEL_FILE_UNREADABLE');
  });
});

describe('where a source is absent', () => {
  test('something else can stand in for it', async () => {
    expect(await whereAbsent(files.proc('pressure/io'), 'nothing')).toBe('nothing');
    expect(await whereAbsent(Promise.resolve('text'), 'nothing')).toBe('text');
  });

  test('other faults are not hidden', async () => {
    await expect(whereAbsent(files.proc('net'), 'nothing')).rejects.toMatchObject({ code: 'KERNEL_FILE_UNREADABLE' });
    await expect(whereAbsent(Promise.reject(malformed('/proc/stat', 'empty')), '')).rejects.toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: '/proc/stat: empty',
    });
  });
});
