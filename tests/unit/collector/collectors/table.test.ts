import { describe, expect, test } from '@jest/globals';
import { KERNEL_COLLECTOR_NAMES, type KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

import { COLLECTORS, type CollectorOptions } from '../../../../collector/src/collectors/table.ts';
import type { KernelSource } from '../../../../collector/src/kernel/kernel-files.ts';
import { indexByIdentity, readRecorded, RecordedKernel, TextKernel } from '../../../support/collector/text-kernel.ts';

const options: CollectorOptions = {
  networkInclude: [],
  networkExclude: ['lo', 'ifb.*'],
  networkMaxInterfaces: 32,
  diskInclude: [],
  diskExclude: ['loop.*', 'vda'],
  diskSectorBytes: 'sysfs',
  filesystemInclude: [],
  filesystemExclude: [],
  services: ['encoder.service'],
  processes: ['encoder'],
};

describe.each(KERNEL_COLLECTOR_NAMES)('%s', (name) => {
  const recording = withSensor(new RecordedKernel());

  test('goes by the name that it stands under', () => {
    expect(COLLECTORS[name].create({ kernel: recording, options }).name).toBe(name);
  });

  test('declares whether it compares two reads', async () => {
    const collector = COLLECTORS[name].create({ kernel: recording, options });
    const kernel = new RecordedKernel('-later');
    const first = indexByIdentity(await collector.collect({ monotonicMs: 0 }));
    const later = COLLECTORS[name].create({ kernel: bound(recording, withSensor(kernel)), options });
    await later.collect({ monotonicMs: 0 });
    const second = indexByIdentity(await later.collect({ monotonicMs: 7280 }));
    expect(Object.keys(first).length + Object.keys(second).length).toBeGreaterThan(0);
    expect(Object.keys(second).length > Object.keys(first).length).toBe(collector.comparesReads);
  });

  test('is absent where the kernel does not have its file', async () => {
    const collector = COLLECTORS[name].create({ kernel: new TextKernel(), options });
    await expect(collector.collect({ monotonicMs: 0 })).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });
});

/** The recorded board has no sensor of temperature; its interfaces, its units and the files of its host were not recorded. */
function withSensor(kernel: KernelSource): KernelSource {
  const sensor = new TextKernel({
    'sys/class/thermal/thermal_zone0/type': 'soc-thermal\n',
    'sys/class/thermal/thermal_zone0/temp': '41000\n',
    'sys/class/net/eth0/operstate': 'up\n',
    'sys/class/power_supply/ac/online': '1\n',
    'proc/vmstat': 'oom_kill 0\n',
    'proc/1/stat': readRecorded('proc/1/stat', 'raspberry-pi-4'),
    'host/etc/os-release': 'NAME=Debian\n',
    'sys/fs/cgroup/cgroup.controllers': 'cpu io memory pids\n',
    'sys/fs/cgroup/system.slice/encoder.service/cgroup.events': 'populated 1\nfrozen 0\n',
  });
  const inClass = (path: string) => (/^(class|fs)\//.test(path) ? sensor : kernel);
  return {
    proc: (path) => (/^(vmstat|1\/.*)$/.test(path) ? sensor : kernel).proc(path),
    sys: (path) => inClass(path).sys(path),
    procEntries: (path) => sensor.procEntries(path),
    procEntryCount: (path) => sensor.procEntryCount(path),
    sysEntries: (path) => inClass(path).sysEntries(path),
    sysLink: (path) => inClass(path).sysLink(path),
    sysInode: (path) => inClass(path).sysInode(path),
    statfs: (path, kind) => kernel.statfs(path, kind),
    host: sensor.host,
  };
}

/** Reads a file from the first kernel once, and then from the second. */
function bound(first: KernelSource, second: KernelSource): KernelSource {
  const read = new Set<string>();
  return {
    proc: (path) => {
      const kernel = read.has(path) ? second : first;
      read.add(path);
      return kernel.proc(path);
    },
    sys: (path) => first.sys(path),
    procEntries: (path) => first.procEntries(path),
    procEntryCount: (path) => first.procEntryCount(path),
    sysEntries: (path) => first.sysEntries(path),
    sysLink: (path) => first.sysLink(path),
    sysInode: (path) => first.sysInode(path),
    statfs: (path, kind) => first.statfs(path, kind),
    host: first.host,
  };
}

describe('options reach the collector they are for:', () => {
  const kernel = new TextKernel({
    'proc/diskstats': ' 8 0 sda 1 0 1 0 1 0 1 0 0 0 0\n 7 0 loop0 1 0 1 0 1 0 1 0 0 0 0\n',
    'proc/net/dev': readRecorded('proc/net/dev'),
    'sys/block/sda/queue/logical_block_size': '4096\n',
    'sys/block/loop0/queue/logical_block_size': '512\n',
  });
  const read = async (name: KernelCollectorName, changed: Partial<CollectorOptions>) =>
    indexByIdentity(
      await COLLECTORS[name].create({ kernel, options: { ...options, ...changed } }).collect({ monotonicMs: 0 }),
    );

  test('those of disks', async () => {
    expect(await read('disk', {})).toHaveProperty(['disk.read_bytes_total{device=sda}'], 4096);
    expect(await read('disk', { diskSectorBytes: 512 })).toHaveProperty(['disk.read_bytes_total{device=sda}'], 512);
    expect(await read('disk', {})).not.toHaveProperty(['disk.read_bytes_total{device=loop0}']);
    expect(await read('disk', { diskInclude: ['loop.*'] })).toEqual({});
  });

  test('those of interfaces', async () => {
    const dropped = 'network.interfaces_dropped_total';
    expect(await read('network', { networkMaxInterfaces: 0 })).toEqual({ [dropped]: 1 });
    expect(await read('network', { networkInclude: ['lo'] })).toEqual({ [dropped]: 0 });
    expect(await read('network', { networkExclude: ['.*'] })).toEqual({ [dropped]: 0 });
  });
});
