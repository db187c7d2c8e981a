import { describe, expect, test } from '@jest/globals';

import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { ServiceCollector } from '../../../../collector/src/collectors/service.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../support/collector/text-kernel.ts';

const ROOT = 'sys/fs/cgroup';

/** The files of a unit with a process, below the root. */
function group(path: string, files: Readonly<Record<string, string>> = {}): Record<string, string> {
  const all = { 'cgroup.events': 'populated 1\nfrozen 0\n', ...files };
  return Object.fromEntries(Object.entries(all).map(([file, text]) => [`${ROOT}/${path}/${file}`, text]));
}

function version2(...groups: Record<string, string>[]): TextKernel {
  const files = [{ [`${ROOT}/cgroup.controllers`]: 'cpu io memory pids\n' }, group('system.slice'), ...groups];
  return new TextKernel(Object.fromEntries(files.flatMap((one) => Object.entries(one))));
}
const read = async (kernel: TextKernel, ...units: string[]) =>
  indexByIdentity(await new ServiceCollector(kernel, units).collect());
const scrape = async (collector: ServiceCollector) => indexByIdentity(await collector.collect());
const failing = async (kernel: TextKernel, ...units: string[]) => {
  const error = await new ServiceCollector(kernel, units).collect().catch((one: Error) => one);
  return { message: (error as Error).message, readings: indexByIdentity(extractReadings(error)) };
};

describe('control groups of version 2', () => {
  test('service collector: a unit has what the kernel accounts for, I/O of all devices together', async () => {
    const kernel = version2(
      group('system.slice/encoder.service', {
        'cpu.stat': 'usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n',
        'memory.current': '1048576\n',
        'memory.events': 'low 0\noom 3\noom_kill 2\noom_group_kill 0\n',
        'pids.current': '12\n',
        'io.stat': '179:0 rbytes=10 wbytes=20 rios=1 wios=1\n7:0 8:0 rbytes=1 wbytes=2 rios=1 wios=1\n',
      }),
    );
    expect(await read(kernel, 'encoder.service')).toEqual({
      'service.up{unit=encoder.service}': 1,
      'service.restarts_total{unit=encoder.service}': 0,
      'service.cpu_seconds_total{unit=encoder.service}': 1.5,
      'service.memory_bytes{unit=encoder.service}': 1_048_576,
      'service.tasks{unit=encoder.service}': 12,
      'service.oom_kills_total{unit=encoder.service}': 2,
      'service.io_read_bytes_total{unit=encoder.service}': 11,
      'service.io_write_bytes_total{unit=encoder.service}': 22,
    });
  });

  test.each([
    ['a service in a slice of its own', 'encoder.slice/encoder.service', 'encoder.service'],
    ['an instance of a template', 'system.slice/system-camera.slice/camera@1.service', 'camera@1.service'],
    ['a slice below another one', 'a.slice/a-b.slice', 'a-b.slice'],
    ['a name that the kernel has files of', 'system.slice/_memory.service', 'memory.service'],
    ['an escaped name', 'system.slice/dev-disk\\x2dby.mount', 'dev-disk\\x2dby.mount'],
    ['a scope', 'init.scope', 'init.scope'],
  ])('service collector: finds %s', async (_, path, unit) => {
    expect(await read(version2(group(path)), unit)).toMatchObject({ [`service.up{unit=${unit}}`]: 1 });
  });

  test('service collector: a unit that does not run is down, whether its group is there or not', async () => {
    const kernel = version2(
      group('system.slice/b.service', { 'cgroup.events': 'populated 0\nfrozen 0\n', 'pids.current': '0\n' }),
    );
    expect(await read(kernel, 'a.service', 'b.service')).toEqual({
      'service.up{unit=a.service}': 0,
      'service.restarts_total{unit=a.service}': 0,
      'service.up{unit=b.service}': 0,
      'service.restarts_total{unit=b.service}': 0,
    });
  });

  test('service collector: names the file that is malformed, and reads the others', async () => {
    const { message, readings } = await failing(
      version2(group('system.slice/a.service', { 'cpu.stat': 'user_usec 5\n', 'pids.current': '3\n' })),
      'a.service',
    );
    expect(message).toBe('cannot parse /sys/fs/cgroup/system.slice/a.service/cpu.stat: no line usage_usec');
    expect(readings).toMatchObject({ 'service.up{unit=a.service}': 1, 'service.tasks{unit=a.service}': 3 });
  });

  test('service collector: a unit without I/O has an empty file, and no bytes', async () => {
    const readings = await read(version2(group('system.slice/a.service', { 'io.stat': '' })), 'a.service');
    expect(Object.keys(readings)).toHaveLength(2);
  });
});

describe('restarts', () => {
  const path = 'fs/cgroup/system.slice/a.service';

  function restarting() {
    const files = group('system.slice/a.service', { 'pids.current': '1\n' });
    const kernel = version2(files);
    const collector = new ServiceCollector(kernel, ['a.service']);
    return {
      kernel,
      count: async () => (await scrape(collector))['service.restarts_total{unit=a.service}'],
      stop: () => Object.keys(files).forEach((file) => kernel.files.delete(file)),
      start: (inode: number) => {
        for (const [file, text] of Object.entries(files)) kernel.files.set(file, text);
        kernel.inodes.set(path, inode);
      },
    };
  }

  test('between two scrapes show in the inode of the group', async () => {
    const { count, start } = restarting();
    expect([await count(), await count()]).toEqual([0, 0]);
    start(7);
    expect([await count(), await count()]).toEqual([1, 1]);
  });

  test('after a stop that was seen count once, with the same inode too', async () => {
    const { count, stop, start } = restarting();
    await count();
    stop();
    expect([await count(), await count()]).toEqual([0, 0]);
    start(1);
    expect([await count(), await count()]).toEqual([1, 1]);
  });

  test('the first start that is seen is none', async () => {
    const { count, stop, start } = restarting();
    stop();
    await count();
    start(3);
    expect(await count()).toBe(0);
  });

  test('of a unit that comes and goes each second count each time, wherever its slice is', async () => {
    const { kernel, count, stop, start } = restarting();
    await count();
    for (let second = 1; second <= 50; second++) {
      stop();
      expect(await count()).toBe(second - 1);
      start(second);
      expect(await count()).toBe(second);
    }
    stop();
    for (const [file, text] of Object.entries(group('other.slice/a.service'))) kernel.files.set(file, text);
    expect(await count()).toBe(51);
  });

  test('a unit that goes while it is read has no readings, and comes again', async () => {
    const { kernel, count } = restarting();
    await count();
    kernel.errors.set(`${ROOT}/system.slice/a.service/cgroup.events`, createKernelError('cgroup.events', 'ENODEV'));
    expect(await count()).toBeUndefined();
    kernel.errors.clear();
    expect(await count()).toBe(0);
  });
});

describe('control groups of version 1', () => {
  const unit = 'system.slice/encoder.service';
  const procs = (path: string, text = '42\n') => ({ [`${ROOT}/systemd/${path}/cgroup.procs`]: text });

  test('service collector: a unit has the figures of each controller that accounts for it', async () => {
    const kernel = new TextKernel({
      ...procs(unit),
      [`${ROOT}/cpuacct/${unit}/cpuacct.usage`]: '2500000000\n',
      [`${ROOT}/memory/${unit}/memory.usage_in_bytes`]: '4096\n',
      [`${ROOT}/memory/${unit}/memory.oom_control`]: 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      [`${ROOT}/pids/${unit}/pids.current`]: '2\n',
      [`${ROOT}/blkio/${unit}/blkio.throttle.io_service_bytes_recursive`]:
        '8:0 Read 100\n8:0 Write 200\n8:0 Sync 300\n8:0 Total 300\nTotal 300\n',
    });
    expect(await read(kernel, 'encoder.service')).toEqual({
      'service.up{unit=encoder.service}': 1,
      'service.restarts_total{unit=encoder.service}': 0,
      'service.cpu_seconds_total{unit=encoder.service}': 2.5,
      'service.memory_bytes{unit=encoder.service}': 4096,
      'service.tasks{unit=encoder.service}': 2,
      'service.oom_kills_total{unit=encoder.service}': 1,
      'service.io_read_bytes_total{unit=encoder.service}': 100,
      'service.io_write_bytes_total{unit=encoder.service}': 200,
    });
  });

  test('service collector: processes in groups below make a unit and its slice run', async () => {
    const kernel = new TextKernel({
      ...procs('system.slice', ''),
      ...procs(unit, ''),
      ...procs(`${unit}/payload`),
      ...procs('system.slice/dead.service', ''),
    });
    expect(await read(kernel, 'encoder.service', 'system.slice', 'dead.service')).toMatchObject({
      'service.up{unit=encoder.service}': 1,
      'service.up{unit=system.slice}': 1,
      'service.up{unit=dead.service}': 0,
    });
  });
});

test('service collector: fails by name where systemd keeps no units, and is absent without control groups', async () => {
  const container = new TextKernel({ [`${ROOT}/cgroup.controllers`]: 'cpu\n', [`${ROOT}/cgroup.procs`]: '1\n' });
  expect((await failing(container, 'a.service')).message).toBe(
    'cannot find units below /sys/fs/cgroup: systemd has no slice there',
  );
  const none = new ServiceCollector(new TextKernel(), ['a.service']).collect();
  await expect(none).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
});
