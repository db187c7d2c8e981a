import { expect, test } from '@jest/globals';

import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { StorageErrors } from '../../../../../collector/src/collectors/readers/storage-errors.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../../support/collector/text-kernel.ts';

const DISK = 'sys/block/sda/device/ioerr_cnt';
const ROOT = 'sys/fs/ext4/mmcblk0p2/errors_count';
const FILES = {
  [DISK]: '0x1f\n',
  'sys/block/loop0/queue/logical_block_size': '512\n',
  'sys/block/mmcblk0/device/life_time': '0x01 0x01\n',
  [ROOT]: '3\n',
  'sys/fs/ext4/cciss!c0d0p1/errors_count': '0\n',
  'sys/fs/ext4/features/lazy_itable_init': 'supported\n',
};
const EXPECTED = {
  'disk.io_errors_total{device=sda}': 31,
  'filesystem.errors_total{device=mmcblk0p2}': 3,
  'filesystem.errors_total{device=cciss/c0d0p1}': 0,
};

test('storage errors: returns those of disks that speak SCSI and of ext4, and no others', async () => {
  expect(indexByIdentity(await new StorageErrors(new TextKernel(FILES)).read())).toEqual(EXPECTED);
});

test('storage errors: a disk that is attached or removed is noticed at the next scrape', async () => {
  const kernel = new TextKernel(FILES);
  const errors = new StorageErrors(kernel);
  await errors.read();
  kernel.files.set('sys/block/sdb/device/ioerr_cnt', '0x0\n');
  kernel.files.delete(DISK);
  const { 'disk.io_errors_total{device=sda}': _, ...others } = EXPECTED;
  expect(indexByIdentity(await errors.read())).toEqual({ ...others, 'disk.io_errors_total{device=sdb}': 0 });
});

test('storage errors: what has no counter is searched once, and read only where it was found', async () => {
  const kernel = new TextKernel(FILES);
  const asked: string[] = [];
  const list = kernel.sysEntries.bind(kernel);
  kernel.sysEntries = (path) => {
    asked.push(path);
    return list(path);
  };
  const errors = new StorageErrors(kernel);
  await errors.read();
  expect(asked).toContain('block/loop0/device');
  asked.length = 0;
  await errors.read();
  expect(asked).toEqual(['block', 'fs/ext4']);
});

test('storage errors: a device without counters has none', async () => {
  const kernel = new TextKernel({ 'sys/block/mmcblk0/device/life_time': '0x01 0x01\n' });
  await expect(new StorageErrors(kernel).read()).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
});

test.each([
  [DISK, ''],
  [DISK, '0x1 0x2\n'],
  [DISK, '-1\n'],
  [ROOT, '0x3\n'],
  [ROOT, '3\n4\n'],
])('storage errors: %s that reads %j is named, and takes no other along', async (file, text) => {
  const error = await new StorageErrors(new TextKernel({ ...FILES, [file]: text }))
    .read()
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'KERNEL_FILE_MALFORMED',
    message: expect.stringContaining(`cannot parse /${file}: `),
  });
  expect(extractReadings(error)).toHaveLength(2);
});

test('storage errors: a disk that is gone since it was listed costs nothing else', async () => {
  const kernel = new TextKernel(FILES);
  kernel.errors.set(DISK, createKernelError(`/${DISK}`, 'ENODEV'));
  const { 'disk.io_errors_total{device=sda}': _, ...others } = EXPECTED;
  expect(indexByIdentity(await new StorageErrors(kernel).read())).toEqual(others);
});
