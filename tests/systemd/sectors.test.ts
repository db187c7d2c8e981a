import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { DiskCollector, type DiskOptions } from '../../collector/src/collectors/disk.ts';
import { KernelFiles } from '../../collector/src/kernel/kernel-files.ts';
import { indexByIdentity } from '../support/collector/text-kernel.ts';

/**
 * /proc/diskstats counts in units of 512 bytes whatever the blocks of a device: shown on a loop device with blocks of
 * 4,096 bytes. Here, and not in tests/integration, because only root may attach one.
 */

const BLOCK_BYTES = 4096;
const BLOCKS = 512;

const folder = mkdtempSync(join(tmpdir(), 'sectors-'));
const kernel = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });
let loop: string | undefined;

beforeAll(() => {
  const image = join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, 2 * BLOCKS * BLOCK_BYTES);
  loop = execFileSync('losetup', ['--find', '--show', '--sector-size', String(BLOCK_BYTES), image], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
});

afterAll(() => {
  if (loop !== undefined) execFileSync('losetup', ['-d', loop]);
  rmSync(folder, { recursive: true });
});

async function totals(sectorBytes: DiskOptions['sectorBytes'] = 512) {
  const device = basename(loop!);
  const collector = new DiskCollector(kernel, { include: [device], exclude: [], sectorBytes });
  const readings = indexByIdentity(await collector.collect({ monotonicMs: 0 }));
  const total = (what: string) => Number(readings[`disk.${what}_bytes_total{device=${device}}`]);
  return { read: total('read'), written: total('write') };
}

test('disk collector: what is written to and read from a loop device of this machine is what is counted', async () => {
  expect((await kernel.sys(`block/${basename(loop!)}/queue/logical_block_size`)).trim()).toBe(String(BLOCK_BYTES));
  const before = await totals();
  const writing = openSync(loop!, 'r+');
  writeSync(writing, Buffer.alloc(BLOCKS * BLOCK_BYTES, 1));
  fsyncSync(writing);
  closeSync(writing);
  const written = await totals();
  expect(written.written - before.written).toBe(BLOCKS * BLOCK_BYTES);

  const allBytes = BLOCKS * BLOCK_BYTES;
  execFileSync('dd', [`if=${loop}`, 'of=/dev/null', `bs=${allBytes}`, 'skip=1', 'count=1', 'iflag=direct'], {
    stdio: 'pipe',
  });
  const read = await totals();
  // Where udev runs, it looks at the start of a device that was written to.
  expect(read.read - written.read).toBeGreaterThanOrEqual(allBytes);
  expect(read.read - written.read).toBeLessThan(2 * allBytes);
});

test('disk collector: DISK_SECTOR_BYTES=sysfs counts a loop device with blocks of 4,096 bytes eightfold', async () => {
  const own = await totals();
  expect(own.written).toBeGreaterThan(0);
  expect(await totals('sysfs')).toEqual({ read: own.read * 8, written: own.written * 8 });
});
