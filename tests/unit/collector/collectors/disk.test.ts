import { describe, expect, test } from '@jest/globals';

import { DiskCollector, type DiskOptions } from '../../../../collector/src/collectors/disk.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import {
  createKernelError,
  indexByIdentity,
  readRecorded,
  RecordedKernel,
  scrapeTexts,
  TextKernel,
} from '../../../support/collector/text-kernel.ts';

const DEFAULTS: DiskOptions = { include: [], exclude: 'loop.* ram.* zram.* dm-.* sr.*'.split(' '), sectorBytes: 512 };

interface Traffic {
  readonly reads?: number;
  readonly readSectors?: number;
  readonly writes?: number;
  readonly writeSectors?: number;
}

function line(device: string, { reads = 0, readSectors = 0, writes = 0, writeSectors = 0 }: Traffic = {}): string {
  return ` 8 0 ${device} ${reads} 11 ${readSectors} 12 ${writes} 13 ${writeSectors} 14 15 16 17\n`;
}

/** sysfs with a block size for each device. */
function sysBlock(sizes: Readonly<Record<string, number>>): Record<string, string> {
  const files = Object.entries(sizes).map(([name, size]) => [
    `sys/block/${name}/queue/logical_block_size`,
    `${size}\n`,
  ]);
  return Object.fromEntries(files) as Record<string, string>;
}

function collecting(files: Readonly<Record<string, string>>, options: Partial<DiskOptions> = {}) {
  const kernel = new TextKernel(files);
  const collector = new DiskCollector(kernel, { ...DEFAULTS, ...options });
  return {
    kernel,
    collector,
    scrapesOf: (...texts: string[]) => scrapeTexts(collector, kernel, 'proc/diskstats', texts),
  };
}

const toError = (thrown: unknown) => thrown;
const devicesIn = (readings: object) => [
  ...new Set(Object.keys(readings).map((name) => /device=([^}]*)/.exec(name)?.[1])),
];

describe('counters', () => {
  test('are there from the first scrape on, in bytes and operations, without rates', async () => {
    const { scrapesOf } = collecting(sysBlock({ sda: 4096 }));
    expect(await scrapesOf(line('sda', { reads: 3, readSectors: 10, writes: 5, writeSectors: 20 }))).toEqual({
      'disk.read_bytes_total{device=sda}': 5120,
      'disk.write_bytes_total{device=sda}': 10240,
      'disk.read_ops_total{device=sda}': 3,
      'disk.write_ops_total{device=sda}': 5,
      'disk.io_time_seconds_total{device=sda}': 0.016,
      'disk.io_time_weighted_seconds_total{device=sda}': 0.017,
    });
  });

  test('take the block size of sysfs for a sector where that is asked for', async () => {
    const { scrapesOf } = collecting(sysBlock({ sda: 4096, sdb: 512 }), { sectorBytes: 'sysfs' });
    const readings = await scrapesOf(line('sda', { readSectors: 10 }) + line('sdb', { readSectors: 10 }));
    expect(readings['disk.read_bytes_total{device=sda}']).toBe(40960);
    expect(readings['disk.read_bytes_total{device=sdb}']).toBe(5120);
  });

  test('fall back on 512 bytes where sysfs has no block size', async () => {
    const { scrapesOf } = collecting({ 'sys/block/sda/stat': '' }, { sectorBytes: 'sysfs' });
    expect(await scrapesOf(line('sda', { readSectors: 1 }))).toHaveProperty(['disk.read_bytes_total{device=sda}'], 512);
  });

  test.each(['', '4k\n', '0\n', '512\n512\n', '-512\n'])(
    'disk: bytes are left out where the block size reads %j, which is named, and nothing else',
    async (size) => {
      const file = 'block/sda/queue/logical_block_size';
      const { scrapesOf } = collecting({ ...sysBlock({ sdb: 512 }), [`sys/${file}`]: size }, { sectorBytes: 'sysfs' });
      const error = await scrapesOf(line('sda', { reads: 11, readSectors: 5 }) + line('sdb')).catch(toError);
      expect(error).toMatchObject({
        code: 'KERNEL_FILE_MALFORMED',
        message: expect.stringContaining(`/sys/${file}`),
      });
      const readings = indexByIdentity(extractReadings(error));
      expect(readings).toHaveProperty(['disk.read_ops_total{device=sda}'], 11);
      expect(readings).toHaveProperty(['disk.read_bytes_total{device=sdb}'], 0);
      expect(Object.keys(readings).filter((name) => name.includes('sda') && name.includes('bytes'))).toEqual([]);
    },
  );

  test('disk: bytes that are not known have no rate, and come back with the block size', async () => {
    const file = 'sys/block/sda/queue/logical_block_size';
    const { kernel, collector } = collecting({ [file]: 'x\n' }, { sectorBytes: 'sysfs' });
    const scrape = async (monotonicMs: number, count: number) => {
      kernel.files.set('proc/diskstats', line('sda', { reads: count, readSectors: count }));
      const readings = await collector.collect({ monotonicMs }).catch(extractReadings);
      return indexByIdentity(readings);
    };
    await scrape(0, 0);
    const unknown = await scrape(10_000, 20);
    expect(unknown).toHaveProperty(['disk.read_ops_per_second{device=sda}'], 2);
    expect(unknown).not.toHaveProperty(['disk.read_bytes_per_second{device=sda}']);
    kernel.files.set(file, '4096\n');
    expect(await scrape(20_000, 40)).toHaveProperty(['disk.read_bytes_per_second{device=sda}'], 8192);
  });
});

describe('rates', () => {
  test('are the increase over the monotonic time between two scrapes', async () => {
    const { scrapesOf } = collecting(sysBlock({ sda: 512 }));
    const readings = await scrapesOf(
      line('sda', { reads: 10, readSectors: 100, writes: 10, writeSectors: 100 }),
      line('sda', { reads: 30, readSectors: 300, writes: 11, writeSectors: 101 }),
    );
    expect(readings).toMatchObject({
      'disk.read_bytes_per_second{device=sda}': 10_240,
      'disk.write_bytes_per_second{device=sda}': 51.2,
      'disk.read_ops_per_second{device=sda}': 2,
      'disk.write_ops_per_second{device=sda}': 0.1,
    });
  });

  test('are left out for the scrape at which a counter decreased, and the counter is returned unchanged', async () => {
    const { scrapesOf } = collecting(sysBlock({ sda: 512 }));
    const wrapped = line('sda', { reads: 40, writes: 2 });
    const readings = await scrapesOf(line('sda', { reads: 30, writes: 4_294_967_290 }), wrapped);
    expect(Object.keys(readings).filter((name) => name.includes('per_second'))).toEqual([]);
    expect(readings['disk.write_ops_total{device=sda}']).toBe(2);
    expect(await scrapesOf(wrapped, line('sda', { reads: 50, writes: 12 }))).toMatchObject({
      'disk.read_ops_per_second{device=sda}': 1,
      'disk.write_ops_per_second{device=sda}': 1,
    });
  });

  test('of a device that was unplugged begin again at its second scrape after its return', async () => {
    const { scrapesOf } = collecting(sysBlock({ sda: 512, sdb: 512 }));
    const both = (reads: number) => line('sda', { reads }) + line('sdb', { reads });
    const gone = await scrapesOf(both(0), both(10), line('sda', { reads: 20 }));
    expect(devicesIn(gone)).toEqual(['sda']);
    const returned = await scrapesOf(both(10), line('sda', { reads: 20 }), both(30));
    expect(returned).not.toHaveProperty(['disk.read_ops_per_second{device=sdb}']);
    expect(returned).toHaveProperty(['disk.read_ops_total{device=sdb}'], 30);
    expect(returned).toHaveProperty(['disk.read_ops_per_second{device=sda}'], 1);
    expect(await scrapesOf(both(30), both(40))).toHaveProperty(['disk.read_ops_per_second{device=sdb}'], 1);
  });

  test('are left out when no time has passed', async () => {
    const { kernel, collector } = collecting(sysBlock({ sda: 512 }));
    kernel.files.set('proc/diskstats', line('sda', { reads: 1 }));
    await collector.collect({ monotonicMs: 7 });
    kernel.files.set('proc/diskstats', line('sda', { reads: 2 }));
    expect(Object.keys(indexByIdentity(await collector.collect({ monotonicMs: 7 })))).toHaveLength(6);
  });
});

describe('devices', () => {
  test('are those that are wanted and whole', async () => {
    const names = ['sda', 'sda1', 'mmcblk0', 'mmcblk0p1', 'loop0', 'ram0', 'zram0', 'dm-0', 'sr0', 'aloop0'];
    const whole = Object.fromEntries(names.filter((name) => !/sda1|p1/.test(name)).map((name) => [name, 512]));
    const listing = names.map((name) => line(name)).join('');
    expect(devicesIn(await collecting(sysBlock(whole)).scrapesOf(listing))).toEqual(['sda', 'mmcblk0', 'aloop0']);
    expect(devicesIn(await collecting({}).scrapesOf(listing))).toEqual(['sda', 'mmcblk0', 'aloop0']);
    const chosen = collecting(sysBlock(whole), { include: ['mmc.*', 'zram0'] });
    expect(devicesIn(await chosen.scrapesOf(listing))).toEqual(['mmcblk0']);
  });

  test('may be none at all where sysfs says so too', async () => {
    expect(await collecting({ 'sys/block/': '' }).scrapesOf('')).toEqual({});
  });

  test('disk: the collector is absent in a container with an empty diskstats beside the devices of the host', async () => {
    const absent = { code: 'KERNEL_FILE_ABSENT', message: expect.stringContaining('/proc/diskstats is empty') };
    await expect(collecting(sysBlock({ sda: 512 })).scrapesOf('')).rejects.toMatchObject(absent);
    await expect(collecting({}).scrapesOf('')).rejects.toMatchObject(absent);
    // It has some again when it is given a device.
    const { scrapesOf } = collecting(sysBlock({ sda: 512 }));
    await scrapesOf('').catch(() => undefined);
    expect(devicesIn(await scrapesOf(line('sda')))).toEqual(['sda']);
  });

  test('disk: a line that cannot be used costs its device, and makes no partition a whole device', async () => {
    const text = `${line('sda').replace(' 11 ', ' x ')}${line('sda1')}${line('sdb')}${line('sdb1')}`;
    for (const files of [sysBlock({ sda: 512, sdb: 512 }), {}]) {
      const error = await collecting(files).scrapesOf(text).catch(toError);
      expect(error).toMatchObject({
        code: 'KERNEL_FILE_MALFORMED',
        message: 'cannot parse /proc/diskstats: line 1: "x" is not a number',
      });
      expect(devicesIn(indexByIdentity(extractReadings(error)))).toEqual(['sdb']);
    }
  });

  test('disk: a listing of sysfs that cannot be read is named, and devices are told by their names', async () => {
    const { kernel, scrapesOf } = collecting(sysBlock({ sda: 512 }));
    kernel.sysEntries = () => Promise.reject(createKernelError('/sys/block', 'EACCES'));
    const error = await scrapesOf(line('sda') + line('sda1')).catch(toError);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_UNREADABLE', message: expect.stringContaining('/sys/block') });
    expect(devicesIn(indexByIdentity(extractReadings(error)))).toEqual(['sda']);
  });
});

test('the recorded device is read as psutil reads it', async () => {
  const { scrapesOf } = collecting(sysBlock({ vda: 512, zram0: 4096, loop0: 512 }));
  const readings = await scrapesOf(readRecorded('proc/diskstats'), readRecorded('proc-later/diskstats'));
  expect(devicesIn(readings)).toEqual(['vda']);
  expect(readings).toMatchObject({
    'disk.read_bytes_total{device=vda}': 1_820_333_056,
    'disk.write_bytes_total{device=vda}': 656_224_256,
    'disk.read_ops_total{device=vda}': 41_546,
    'disk.write_ops_total{device=vda}': 5_156,
  });
  // 40 MiB and a little were written within the ten seconds that `scrapes` gives the recording.
  expect(readings['disk.write_bytes_per_second{device=vda}']).toBeCloseTo((40 * 1024 * 1024 + 8192) / 10, 5);
});

test('what was written to a recorded device with blocks of 4,096 bytes is what was counted', async () => {
  expect(readRecorded('sys/block/nvme0n1/queue/logical_block_size', 'x86-board')).toBe('4096\n');
  const written = async (suffix: '' | '-later') => {
    const collector = new DiskCollector(new RecordedKernel(suffix, 'x86-board'), { ...DEFAULTS, include: ['nvme0n1'] });
    return Number(
      indexByIdentity(await collector.collect({ monotonicMs: 0 }))['disk.write_bytes_total{device=nvme0n1}'],
    );
  };
  expect((await written('-later')) - (await written(''))).toBe(2000 * 4096);
});
