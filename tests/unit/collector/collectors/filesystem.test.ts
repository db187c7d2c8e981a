import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';

import { FilesystemCollector } from '../../../../collector/src/collectors/filesystem.ts';
import { PartialResultError } from '../../../../collector/src/collectors/readers/partial-result.ts';
import type { MountKind, FileSystemSpace } from '../../../../collector/src/kernel/kernel-files.ts';
import { DEFAULT_OPTIONS } from '../../../support/collector/default-options.ts';
import {
  indexByIdentity,
  createKernelError,
  RecordedKernel,
  TextKernel,
} from '../../../support/collector/text-kernel.ts';

const MOUNTS = [
  '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
  '21 20 0:9 / /proc rw - proc proc rw',
  '22 20 0:50 / /mnt/nas rw - nfs4 nas:/ rw',
  '23 20 8:17 / /mnt/usb rw - vfat /dev/sdb1 rw',
  '',
].join('\n');
const RULES = { include: DEFAULT_OPTIONS.filesystemInclude, exclude: DEFAULT_OPTIONS.filesystemExclude };
const space: FileSystemSpace = { sizeBytes: 1000, availableBytes: 400, files: 0, filesFree: 0 };
const hung = (path: string) =>
  new AgentError(`${path} hangs: no answer`, { code: 'KERNEL_FILE_HUNG', hint: 'umount it' });

function board(spaces: Readonly<Record<string, FileSystemSpace | Error>> = {}) {
  const kernel = new TextKernel({ 'proc/self/mountinfo': MOUNTS });
  const asked: [string, MountKind][] = [];
  for (const mountpoint of ['/', '/mnt/nas', '/mnt/usb']) kernel.spaces.set(mountpoint, spaces[mountpoint] ?? space);
  const statfs = kernel.statfs.bind(kernel);
  const collector = new FilesystemCollector(
    {
      proc: (path) => kernel.proc(path),
      sys: (path) => kernel.sys(path),
      procEntries: (path) => kernel.procEntries(path),
      procEntryCount: (path) => kernel.procEntryCount(path),
      sysEntries: (path) => kernel.sysEntries(path),
      sysLink: (path) => kernel.sysLink(path),
      sysInode: (path) => kernel.sysInode(path),
      statfs: (path, kind) => {
        asked.push([path, kind]);
        return statfs(path);
      },
      host: kernel.host,
    },
    RULES,
  );
  return { collector, asked };
}

const both = (mountpoint: string, fstype: string) => ({
  [`filesystem.size_bytes{mountpoint=${mountpoint},fstype=${fstype}}`]: 1000,
  [`filesystem.available_bytes{mountpoint=${mountpoint},fstype=${fstype}}`]: 400,
  [`filesystem.readonly{mountpoint=${mountpoint},fstype=${fstype}}`]: 0,
});

test('each real mount has a size and what is available, and is asked once, by who answers', async () => {
  const { collector, asked } = board();
  expect(indexByIdentity(await collector.collect())).toEqual({
    ...both('/', 'ext4'),
    ...both('/mnt/nas', 'nfs4'),
    ...both('/mnt/usb', 'vfat'),
  });
  expect(asked).toEqual([
    ['/', 'local'],
    ['/mnt/nas', 'remote'],
    ['/mnt/usb', 'local'],
  ]);
});

test('a mount that comes or goes is noticed at the next scrape, and a list that is spoilt is never taken for the last one', async () => {
  const kernel = new TextKernel({ 'proc/self/mountinfo': MOUNTS });
  for (const mountpoint of ['/', '/mnt/nas', '/mnt/usb']) kernel.spaces.set(mountpoint, space);
  const collector = new FilesystemCollector(kernel, RULES);
  const mountsAfter = async (text: string) => {
    kernel.files.set('proc/self/mountinfo', text);
    return (await collector.collect()).length / 3;
  };
  expect(await mountsAfter(MOUNTS)).toBe(3);
  expect(await mountsAfter(MOUNTS.split('\n').slice(0, 2).join('\n') + '\n')).toBe(1);
  await expect(mountsAfter('')).rejects.toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
  for (const _round of [1, 2])
    await expect(mountsAfter('20\n')).rejects.toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
  expect(await mountsAfter(MOUNTS)).toBe(3);
});

test('mounts are asked one after the other', async () => {
  let open = 0;
  const kernel = new TextKernel({ 'proc/self/mountinfo': MOUNTS });
  kernel.statfs = async () => {
    open += 1;
    expect(open).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return space;
  };
  expect(await new FilesystemCollector(kernel, RULES).collect()).toHaveLength(9);
});

test('a mount without a size is left out', async () => {
  const { collector } = board({ '/mnt/usb': { ...space, sizeBytes: 0, availableBytes: 0 } });
  expect(indexByIdentity(await collector.collect())).toEqual({ ...both('/', 'ext4'), ...both('/mnt/nas', 'nfs4') });
});

test('filesystem collector: returns inodes if the file system has a limit, and whether it is read-only', async () => {
  const kernel = new TextKernel({
    'proc/self/mountinfo': MOUNTS.replace('/dev/sda1 rw', '/dev/sda1 ro,errors=remount-ro').replace(
      '22 20 0:50 / /mnt/nas rw',
      '22 20 0:50 / /mnt/nas ro',
    ),
  });
  for (const mountpoint of ['/', '/mnt/nas', '/mnt/usb']) kernel.spaces.set(mountpoint, space);
  kernel.spaces.set('/', { ...space, files: 100, filesFree: 40 });
  const readings = indexByIdentity(await new FilesystemCollector(kernel, RULES).collect());
  expect(readings).toMatchObject({
    'filesystem.files{mountpoint=/,fstype=ext4}': 100,
    'filesystem.files_free{mountpoint=/,fstype=ext4}': 40,
    'filesystem.readonly{mountpoint=/,fstype=ext4}': 1,
    // Only this mount of it is read-only, as in the sandbox of a unit.
    'filesystem.readonly{mountpoint=/mnt/nas,fstype=nfs4}': 0,
  });
  expect(Object.keys(readings).filter((name) => name.includes('files{'))).toHaveLength(1);
});

test('a mount that has gone meanwhile is left out', async () => {
  const { collector } = board({ '/mnt/usb': createKernelError('/mnt/usb', 'ENOENT') });
  expect(indexByIdentity(await collector.collect())).toEqual({ ...both('/', 'ext4'), ...both('/mnt/nas', 'nfs4') });
});

describe('a mount that hangs or fails', () => {
  test.each([hung('/mnt/nas'), createKernelError('/mnt/nas', 'ESTALE')])(
    'and is remote is marked alone: %s',
    async (fault) => {
      const { collector } = board({ '/mnt/nas': fault });
      expect(indexByIdentity(await collector.collect())).toEqual({
        ...both('/', 'ext4'),
        ...both('/mnt/usb', 'vfat'),
        'filesystem.unreadable{mountpoint=/mnt/nas,fstype=nfs4}': 1,
      });
    },
  );

  test('and is local makes the collector fail by its name, with what the others said', async () => {
    const { collector } = board({
      '/mnt/usb': createKernelError('/mnt/usb', 'EIO'),
      '/': hung('/'),
      '/mnt/nas': hung('/mnt/nas'),
    });
    const error = await collector.collect().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PartialResultError);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_HUNG',
      hint: 'umount it',
      message: '/ hangs: no answer; cannot read /mnt/usb: EIO: /mnt/usb',
    });
    expect(indexByIdentity((error as PartialResultError).readings)).toEqual({
      'filesystem.unreadable{mountpoint=/,fstype=ext4}': 1,
      'filesystem.unreadable{mountpoint=/mnt/nas,fstype=nfs4}': 1,
      'filesystem.unreadable{mountpoint=/mnt/usb,fstype=vfat}': 1,
    });
  });

  test('leaves the readings of the others in the failure', async () => {
    const { collector } = board({ '/mnt/usb': createKernelError('/mnt/usb', 'EIO') });
    const error = (await collector.collect().catch((thrown: unknown) => thrown)) as PartialResultError;
    expect(error.code).toBe('KERNEL_FILE_UNREADABLE');
    expect(indexByIdentity(error.readings)).toMatchObject({ ...both('/', 'ext4'), ...both('/mnt/nas', 'nfs4') });
  });
});

test('the recorded device is read as stat -f reads it', async () => {
  const readings = indexByIdentity(await new FilesystemCollector(new RecordedKernel('-later'), RULES).collect());
  const figures = {
    '/,fstype=ext4': [270553174016, 84675301376],
    '/media,fstype=tmpfs': [67108864, 63537152],
    '/media/data,fstype=ext4': [22141952, 17220608],
    '/media/usb disk,fstype=ext4': [14410752, 13222912],
    '/media/shadow,fstype=tmpfs': [2097152, 2097152],
    '/media/covered,fstype=tmpfs': [4194304, 4194304],
  };
  const expected = Object.entries(figures).flatMap(([mount, [size, available]]) => [
    [`filesystem.size_bytes{mountpoint=${mount}}`, size],
    [`filesystem.available_bytes{mountpoint=${mount}}`, available],
    [`filesystem.readonly{mountpoint=${mount}}`, 0],
  ]);
  expect(readings).toEqual(Object.fromEntries(expected));
});
