import { describe, expect, test } from '@jest/globals';

import { COLLECTORS, type CollectorOptions } from '../../../../collector/src/collectors/table.ts';
import { SimulatedKernel } from '../../../../collector/src/kernel/simulated-kernel.ts';
import { indexByIdentity } from '../../../support/collector/text-kernel.ts';

const options: CollectorOptions = {
  networkInclude: [],
  networkExclude: ['lo'],
  networkMaxInterfaces: 32,
  diskInclude: [],
  diskExclude: ['loop.*'],
  diskSectorBytes: 'sysfs',
  filesystemInclude: [],
  filesystemExclude: [],
  services: ['encoder.service'],
  processes: ['encoder'],
};
const FILES = [
  'stat',
  'meminfo',
  'diskstats',
  'net/dev',
  'loadavg',
  'uptime',
  'pressure/cpu',
  'pressure/memory',
  'pressure/io',
];

function simulation(cores?: number) {
  const time = { elapsedMs: 0 };
  const elapsedMs = () => time.elapsedMs;
  return { time, kernel: new SimulatedKernel(cores === undefined ? { elapsedMs } : { elapsedMs, cores }) };
}

describe('text', () => {
  test.each(FILES)('of %s is the same at the same time and moves with it', async (file) => {
    const [one, other] = [simulation(), simulation()];
    one.time.elapsedMs = other.time.elapsedMs = 12_345;
    const before = await one.kernel.proc(file);
    expect(await other.kernel.proc(file)).toBe(before);
    one.time.elapsedMs = 72_345;
    expect(await one.kernel.proc(file)).not.toBe(before);
  });

  test('has the form of the kernel for load and uptime', async () => {
    const { kernel } = simulation();
    expect(await kernel.proc('loadavg')).toMatch(/^\d+\.\d\d \d+\.\d\d \d+\.\d\d \d+\/\d+ \d+\n$/);
    expect(await kernel.proc('uptime')).toMatch(/^3600\.00 \d+\.\d\d\n$/);
  });

  test('is absent for a file that is not simulated', async () => {
    const absent = { code: 'KERNEL_FILE_ABSENT' };
    const { kernel } = simulation();
    await expect(kernel.proc('pressure/irq')).rejects.toMatchObject(absent);
    await expect(kernel.proc('constructor')).rejects.toMatchObject(absent);
    await expect(kernel.sys('block/sda/queue/logical_block_size')).rejects.toMatchObject(absent);
    await expect(kernel.sysEntries('class/hwmon')).rejects.toMatchObject(absent);
  });

  test('of a sensor, and the space of a mount, move with time, and a mount that is not simulated is absent', async () => {
    const { time, kernel } = simulation();
    const now = async () => [
      await kernel.sys('class/thermal/thermal_zone0/temp'),
      (await kernel.statfs('/')).availableBytes,
    ];
    const [temperature, available] = await now();
    time.elapsedMs = 60_000;
    const later = await now();
    expect(later[0]).not.toBe(temperature);
    expect(later[1]).not.toBe(available);
    await expect(kernel.statfs('/home')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });

  test('has whole devices in sysfs', async () => {
    expect(await simulation().kernel.sysEntries('block')).toEqual(['loop0', 'mmcblk0']);
  });
});

describe('collectors', () => {
  test('read it through the parsers for real kernels, for an hour', async () => {
    const { time, kernel } = simulation(2);
    const collectors = Object.values(COLLECTORS).map(({ create }) => create({ kernel, options }));
    let before: Record<string, number | string> = {};
    for (time.elapsedMs = 0; time.elapsedMs < 3_600_000; time.elapsedMs += 9_700) {
      const scrape = { monotonicMs: time.elapsedMs };
      const readings = (await Promise.all(collectors.map((collector) => collector.collect(scrape)))).flat();
      const now = indexByIdentity(readings);
      const texts = readings.filter(({ value }) => !Number.isFinite(value));
      expect(texts.map(({ series }) => series.name)).toEqual([
        'system.kernel',
        'system.model',
        'system.os_release',
        'system.architecture',
      ]);
      // Memory 3, network 2 interfaces of 8 and what was dropped, links of 6 and of 4, Wi-Fi of 2, a unit of 8, 2
      // temperatures and a fan of 2, 4 of load, 5 of activity and the
      // kernel, 2 file systems of 3 and one’s files of 2, 3 pressures of 2, a clock of 3, wear of 3, 3 texts
      // of the system, a model of a disk, 9 of resources and a supply, 8 states of processes, all threads, and 6 of a process.
      const always = 3 + 17 + 12 + 8 + 2 + 2 + 4 + 5 + 1 + 8 + 6 + 3 + 3 + 3 + 1 + 9 + 1 + 8 + 1 + 6;
      // The counters of a disk; later 9 usages and modes of all cores, those of 2 cores, and the rates of the disk.
      // A new collector adds its number to `always`. Not toHaveLength, which prints all readings.
      expect(readings.length).toBe(always + (time.elapsedMs === 0 ? 6 : 6 + 9 + 2 + 4));
      const counters = Object.keys(now).filter((identity) => identity.includes('_total'));
      expect(counters.filter((counter) => Number(now[counter]) < Number(before[counter] ?? 0))).toEqual([]);
      before = now;
    }
    expect(before['disk.write_bytes_total{device=mmcblk0}']).toBeGreaterThan(0);
  });

  test('see a device of the requested size', async () => {
    const kernel = new SimulatedKernel({ elapsedMs: () => 0, cores: 8, disks: 4, interfaces: 6, zones: 10 });
    const collectors = Object.values(COLLECTORS).map(({ create }) => create({ kernel, options }));
    const readings = (await Promise.all(collectors.map((collector) => collector.collect({ monotonicMs: 0 })))).flat();
    const seen = (label: string) => new Set(readings.flatMap(({ labels }) => labels[label] ?? [])).size;
    expect({ policies: seen('policy'), interfaces: seen('interface'), zones: seen('zone') }).toEqual({
      policies: 2,
      interfaces: 6,
      zones: 10,
    });
    expect([
      ...new Set(
        readings.filter(({ series }) => series.name === 'disk.read_bytes_total').map(({ labels }) => labels['device']),
      ),
    ]).toEqual(['mmcblk0', 'sda', 'sdb', 'sdc']);
    indexByIdentity(readings);
  });

  test('see as many cores as were asked for, four if none were', async () => {
    const coresOf = async (cores?: number) =>
      ((await simulation(cores).kernel.proc('stat')).match(/^cpu\d+ /gm) ?? []).length;
    expect(await coresOf(1)).toBe(1);
    expect(await coresOf(6)).toBe(6);
    expect(await coresOf()).toBe(4);
  });

  test('see about one hundred ticks a second on each core, and a load that moves', async () => {
    const { time, kernel } = simulation(1);
    const collector = COLLECTORS.cpu.create({ kernel, options });
    const ticks = async () =>
      (await kernel.proc('stat'))
        .split('\n')[1]
        ?.split(' ')
        .slice(1)
        .reduce((sum, one) => sum + Number(one), 0) ?? 0;
    const usages: number[] = [];
    for (time.elapsedMs = 0; time.elapsedMs < 180_000; time.elapsedMs += 10_000) {
      const before = await ticks();
      for (const { series, value } of await collector.collect({ monotonicMs: 0 })) {
        if (series.name === 'cpu.usage_percent') usages.push(Number(value));
      }
      time.elapsedMs += 10_000;
      expect(Math.abs((await ticks()) - before - 1000)).toBeLessThan(10);
      time.elapsedMs -= 10_000;
    }
    expect(Math.min(...usages)).toBeLessThan(15);
    expect(Math.max(...usages)).toBeGreaterThan(35);
  });
});
