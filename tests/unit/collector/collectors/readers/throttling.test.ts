import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';
import fc from 'fast-check';

import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { parseThrottled } from '../../../../../collector/src/collectors/readers/firmware-flags.ts';
import { Throttling } from '../../../../../collector/src/collectors/readers/throttling.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../../support/collector/text-kernel.ts';

const CPUS = 'sys/devices/system/cpu';
const FIRMWARE = 'sys/devices/platform/soc/soc:firmware/get_throttled';

/** An Intel core: its own count, that of its package, and which package that is. */
const core = (number: number, own: number, ofPackage: number, id = 0) => ({
  [`${CPUS}/cpu${number}/thermal_throttle/core_throttle_count`]: `${own}\n`,
  [`${CPUS}/cpu${number}/thermal_throttle/package_throttle_count`]: `${ofPackage}\n`,
  [`${CPUS}/cpu${number}/topology/physical_package_id`]: `${id}\n`,
});

describe('counters', () => {
  test('are those of each core, and of each package once', async () => {
    const kernel = new TextKernel({
      ...core(0, 3, 9),
      ...core(1, 0, 9),
      ...core(2, 5, 0, 1),
      [`${CPUS}/cpufreq/boost`]: '1\n',
    });
    expect(indexByIdentity(await new Throttling(kernel).read('0'))).toEqual({
      'cpu.throttles_total{core=0}': 3,
      'cpu.package_throttles_total{package=0}': 9,
      'cpu.throttles_total{core=1}': 0,
      'cpu.throttles_total{core=2}': 5,
      'cpu.package_throttles_total{package=1}': 0,
    });
  });

  test('of a core that is switched off go with it and come back with it', async () => {
    const kernel = new TextKernel({ ...core(0, 3, 9), ...core(1, 7, 9) });
    const throttling = new Throttling(kernel);
    await throttling.read('0,1');
    const file = `${CPUS}/cpu1/thermal_throttle/core_throttle_count`;
    kernel.files.delete(file);
    expect(indexByIdentity(await throttling.read('0'))).not.toHaveProperty(['cpu.throttles_total{core=1}']);
    kernel.files.set(file, '8\n');
    expect(indexByIdentity(await throttling.read('0,1'))).toHaveProperty(['cpu.throttles_total{core=1}'], 8);
    for (const [path, text] of Object.entries(core(2, 1, 9))) kernel.files.set(path, text);
    expect(indexByIdentity(await throttling.read('0,1,2'))).toHaveProperty(['cpu.throttles_total{core=2}'], 1);
  });

  test('that are spoilt are named, and take none of the others along', async () => {
    const kernel = new TextKernel({
      ...core(0, 3, 9),
      [FIRMWARE]: '0\n',
      [`${CPUS}/cpu0/thermal_throttle/core_throttle_count`]: '-1\n',
    });
    const error = await new Throttling(kernel).read('0').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
    expect((error as AgentError).message).toContain('core_throttle_count: line 1: "-1"');
    expect(Object.keys(indexByIdentity(extractReadings(error)))).toHaveLength(1 + 8);
  });
});

describe('the firmware of a Raspberry Pi', () => {
  test('reports why the processor is throttled, and why it was since boot', async () => {
    const read = indexByIdentity(await new Throttling(new TextKernel({ [FIRMWARE]: '50005\n' })).read('0'));
    const set = Object.keys(read).filter((name) => read[name] === 1);
    expect(Object.keys(read)).toHaveLength(8);
    expect(set).toEqual([
      'cpu.throttled{reason=under_voltage}',
      'cpu.throttled_since_boot{reason=under_voltage}',
      'cpu.throttled{reason=throttled}',
      'cpu.throttled_since_boot{reason=throttled}',
    ]);
  });

  test('throttling: is found where a Raspberry Pi 5 has it', async () => {
    const soc = 'sys/devices/platform/soc@107c000000';
    const kernel = new TextKernel({
      'sys/devices/platform/axi/1000120000.pcie/': '',
      [`${soc}/107d004000.serial/`]: '',
      [`${soc}/soc@107c000000:firmware/get_throttled`]: 'e0008\n',
    });
    const read = indexByIdentity(await new Throttling(kernel).read('0'));
    expect(Object.keys(read).filter((name) => read[name] === 1)).toEqual([
      'cpu.throttled_since_boot{reason=frequency_capped}',
      'cpu.throttled_since_boot{reason=throttled}',
      'cpu.throttled{reason=soft_temperature_limit}',
      'cpu.throttled_since_boot{reason=soft_temperature_limit}',
    ]);
    expect(Object.keys(read)).toHaveLength(8);
  });

  test('has every bit read as it stands, above bit 30 too', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (bits) => {
        const values = parseThrottled('/sys/x', `${bits.toString(16)}\n`).map(({ value }) => Number(value));
        const expected = [0, 1, 2, 3]
          .flatMap((bit) => [bit, bit + 16])
          .map((bit) => Number((BigInt(bits) >> BigInt(bit)) & 1n));
        expect(values).toEqual(expected);
      }),
    );
  });

  test.each(['', '\n', 'zz\n', '123456789\n', '1 2\n', '1\n2\n', '-1\n'])('is refused where it says %j', (text) => {
    expect(() => parseThrottled('/sys/x', text)).toThrow(AgentError);
  });
});

describe('throttling: the voltage alarm of the mainline kernel', () => {
  const ALARM = 'sys/class/hwmon/hwmon1/in0_lcrit_alarm';
  const chips = (alarm: string) => ({
    'sys/class/hwmon/hwmon0/name': 'ina2xx\n',
    'sys/class/hwmon/hwmon0/in0_lcrit_alarm': '1\n',
    'sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
    [ALARM]: alarm,
  });

  test.each(['0', '1'])('throttling: is under-voltage, at %s', async (alarm) => {
    const kernel = new TextKernel(chips(`${alarm}\n`));
    expect(indexByIdentity(await new Throttling(kernel).read('0'))).toEqual({
      'cpu.throttled{reason=under_voltage}': Number(alarm),
    });
  });

  test('throttling: is not asked beside the flags of the firmware, which include it', async () => {
    const kernel = new TextKernel({ ...chips('1\n'), [FIRMWARE]: '0\n' });
    const read = indexByIdentity(await new Throttling(kernel).read('0'));
    expect(Object.keys(read)).toHaveLength(8);
    expect(read['cpu.throttled{reason=under_voltage}']).toBe(0);
  });

  test('throttling: is found when its driver starts after the collector, and left with it', async () => {
    const kernel = new TextKernel({});
    const throttling = new Throttling(kernel);
    await expect(throttling.read('0')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
    for (const [path, text] of Object.entries(chips('1\n'))) kernel.files.set(path, text);
    expect(await throttling.read('0')).toHaveLength(1);
    for (const path of Object.keys(chips(''))) kernel.files.delete(path);
    await expect(throttling.read('0')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });

  test('throttling: chips that cannot be listed are named, and take no counter along', async () => {
    const kernel = new TextKernel(core(0, 3, 9));
    const list = kernel.sysEntries.bind(kernel);
    kernel.sysEntries = (path) =>
      path === 'class/hwmon' ? Promise.reject(createKernelError('/sys/class/hwmon', 'EACCES')) : list(path);
    const error: unknown = await new Throttling(kernel).read('0').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_UNREADABLE',
      message: expect.stringContaining('/sys/class/hwmon'),
    });
    expect(extractReadings(error)).toHaveLength(2);
  });

  test.each(['2\n', '-1\n', '', 'low\n'])('throttling: is refused where it says %j', async (alarm) => {
    await expect(new Throttling(new TextKernel(chips(alarm))).read('0')).rejects.toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: expect.stringContaining('hwmon1/in0_lcrit_alarm'),
    });
  });
});

test('throttling: absent on a device without counters and firmware flags', async () => {
  await expect(new Throttling(new TextKernel({ [`${CPUS}/cpu0/online`]: '1\n' })).read('0')).rejects.toMatchObject({
    code: 'KERNEL_FILE_ABSENT',
  });
});
