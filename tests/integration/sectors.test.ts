import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { DiskCollector, type DiskOptions } from '../../collector/src/collectors/disk.ts';
import { KernelFiles, type KernelSource } from '../../collector/src/kernel-files.ts';
import { byIdentity, recorded, RecordedKernel } from '../unit/collector/text-kernel.ts';

/** /proc/diskstats counts in units of 512 bytes whatever the blocks of a device: shown on devices with blocks of 4,096. */

const BLOCK_BYTES = 4096;
const BLOCKS = 512;

const folder = mkdtempSync(join(tmpdir(), 'sectors-'));
const loop = attachLoop();

afterAll(() => {
  if (loop !== undefined) execFileSync('losetup', ['-d', loop]);
  rmSync(folder, { recursive: true });
});

/** A loop device with blocks of 4,096 bytes; undefined where this process may not have one. */
function attachLoop(): string | undefined {
  const image = join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, 2 * BLOCKS * BLOCK_BYTES);
  try {
    return execFileSync('losetup', ['--find', '--show', '--sector-size', String(BLOCK_BYTES), image], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch (error) {
    if (process.getuid?.() === 0) console.warn(`no loop device, though this is root: ${String(error)}`);
    return undefined;
  }
}

async function totals(kernel: KernelSource, device: string, sectorBytes: DiskOptions['sectorBytes'] = 512) {
  const collector = new DiskCollector(kernel, { include: [device], exclude: [], sectorBytes });
  const readings = byIdentity(await collector.collect({ monotonicMs: 0 }));
  const total = (what: string) => Number(readings[`disk.${what}_bytes_total{device=${device}}`]);
  return { read: total('read'), written: total('write') };
}

test('what was written to the recorded device is what was counted', async () => {
  expect(recorded('sys/block/nvme0n1/queue/logical_block_size', 'x86-board')).toBe(`${BLOCK_BYTES}\n`);
  const before = await totals(new RecordedKernel('', 'x86-board'), 'nvme0n1');
  const after = await totals(new RecordedKernel('-later', 'x86-board'), 'nvme0n1');
  expect(after.written - before.written).toBe(2000 * BLOCK_BYTES);
});

if (loop !== undefined) {
  const kernel = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });
  const name = basename(loop);

  test('what is written to and read from a loop device of this machine is what is counted', async () => {
    expect((await kernel.sys(`block/${name}/queue/logical_block_size`)).trim()).toBe(String(BLOCK_BYTES));
    const before = await totals(kernel, name);
    const writing = openSync(loop, 'r+');
    writeSync(writing, Buffer.alloc(BLOCKS * BLOCK_BYTES, 1));
    fsyncSync(writing);
    closeSync(writing);
    const written = await totals(kernel, name);
    expect(written.written - before.written).toBe(BLOCKS * BLOCK_BYTES);

    const allBytes = BLOCKS * BLOCK_BYTES;
    execFileSync('dd', [`if=${loop}`, 'of=/dev/null', `bs=${allBytes}`, 'skip=1', 'count=1', 'iflag=direct'], { stdio: 'pipe' });
    const read = await totals(kernel, name);
    // Where udev runs, it looks at the start of a device that was written to.
    expect(read.read - written.read).toBeGreaterThanOrEqual(allBytes);
    expect(read.read - written.read).toBeLessThan(2 * allBytes);
  });

  test('with DISK_SECTOR_BYTES=sysfs that device is counted eightfold, as the plan’s rule has it', async () => {
    const own = await totals(kernel, name);
    expect(own.written).toBeGreaterThan(0);
    expect(await totals(kernel, name, 'sysfs')).toEqual({ read: own.read * 8, written: own.written * 8 });
  });
}
