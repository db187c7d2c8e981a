import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';
import fc from 'fast-check';

import { CpuFrequency, parseKilohertz } from '../../../../../collector/src/collectors/readers/cpu-frequency.ts';
import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { indexByIdentity, createKernelError, TextKernel } from '../../../../support/collector/text-kernel.ts';

const DIRECTORY = 'sys/devices/system/cpu/cpufreq';

/** The files of a policy, in kHz. */
const policy = (number: number, current: string, limit: string, maximum: string) => ({
  [`${DIRECTORY}/policy${number}/scaling_cur_freq`]: `${current}\n`,
  [`${DIRECTORY}/policy${number}/scaling_max_freq`]: `${limit}\n`,
  [`${DIRECTORY}/policy${number}/cpuinfo_max_freq`]: `${maximum}\n`,
});
const bigAndLittle = {
  ...policy(0, '408000', '1800000', '1800000'),
  ...policy(4, '1200000', '1416000', '2400000'),
  [`${DIRECTORY}/boost`]: '1\n',
};

test('each policy has its clock, its limit and its maximum in hertz', async () => {
  expect(indexByIdentity(await new CpuFrequency(new TextKernel(bigAndLittle)).read('0'))).toEqual({
    'cpu.frequency_hertz{policy=0}': 408e6,
    'cpu.frequency_limit_hertz{policy=0}': 1800e6,
    'cpu.frequency_max_hertz{policy=0}': 1800e6,
    'cpu.frequency_hertz{policy=4}': 1200e6,
    'cpu.frequency_limit_hertz{policy=4}': 1416e6,
    'cpu.frequency_max_hertz{policy=4}': 2400e6,
  });
});

test('a clock that the driver does not know is left out alone', async () => {
  const read = indexByIdentity(
    await new CpuFrequency(new TextKernel(policy(0, '<unknown>', '1800000', '1800000'))).read('0'),
  );
  expect(Object.keys(read)).toEqual(['cpu.frequency_limit_hertz{policy=0}', 'cpu.frequency_max_hertz{policy=0}']);
});

test('cpu frequency: a driver may end its attributes without a newline', async () => {
  const whole = new TextKernel(bigAndLittle);
  const trimmed = new TextKernel(
    Object.fromEntries(Object.entries(bigAndLittle).map(([path, text]) => [path, text.trimEnd()])),
  );
  expect(await new CpuFrequency(trimmed).read('0')).toEqual(await new CpuFrequency(whole).read('0'));
  expect(parseKilohertz('/sys/x', '<unknown>')).toBeUndefined();
});

describe('a policy', () => {
  test('whose cores are all switched off is left out alone, until they are back', async () => {
    const kernel = new TextKernel(bigAndLittle);
    const frequency = new CpuFrequency(kernel);
    for (const file of ['scaling_cur_freq', 'scaling_max_freq', 'cpuinfo_max_freq']) {
      kernel.errors.set(`${DIRECTORY}/policy4/${file}`, createKernelError(file, 'EBUSY'));
    }
    expect(Object.keys(indexByIdentity(await frequency.read('0'))).filter((name) => name.includes('policy=4'))).toEqual(
      [],
    );
    kernel.errors.clear();
    const back = indexByIdentity(await frequency.read('0'));
    expect(back['cpu.frequency_hertz{policy=4}']).toBe(1200e6);
    expect(back['cpu.frequency_max_hertz{policy=4}']).toBe(2400e6);
  });

  test('that fails is named, and does not affect the others', async () => {
    const kernel = new TextKernel({ ...bigAndLittle, ...policy(4, 'fast', '1', '1') });
    const error = await new CpuFrequency(kernel).read('0').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: `cannot parse /${DIRECTORY}/policy4/scaling_cur_freq: line 1: "fast" is not a number`,
    });
    expect(Object.keys(indexByIdentity(extractReadings(error)))).toContain('cpu.frequency_hertz{policy=0}');
  });
});

describe('cpu frequency: a kernel before 4.3, with a policy below each core', () => {
  const CPUS = 'sys/devices/system/cpu';
  const below = (core: number, related: string, current: string) => ({
    [`${CPUS}/cpu${core}/cpufreq/related_cpus`]: related,
    [`${CPUS}/cpu${core}/cpufreq/scaling_cur_freq`]: `${current}\n`,
    [`${CPUS}/cpu${core}/cpufreq/scaling_max_freq`]: '1008000\n',
    [`${CPUS}/cpu${core}/cpufreq/cpuinfo_max_freq`]: '1200000\n',
  });
  const clocks = (readings: Record<string, unknown>) =>
    Object.entries(readings).filter(([identity]) => identity.startsWith('cpu.frequency_hertz'));
  const read = async (frequency: CpuFrequency, cores = '0') => indexByIdentity(await frequency.read(cores));

  test('has one for the cores that share a clock, by the number of the first', async () => {
    const kernel = new TextKernel({
      ...below(0, '0 1\n', '480000'),
      ...below(1, '0 1\n', '480000'),
      ...below(2, '2\n', '912000'),
      [`${CPUS}/cpu3/online`]: '0\n',
      [`${CPUS}/cpuidle/current_driver`]: 'none\n',
      [`${DIRECTORY}/ondemand/up_threshold`]: '95\n',
    });
    expect(await read(new CpuFrequency(kernel))).toEqual({
      'cpu.frequency_hertz{policy=0}': 480e6,
      'cpu.frequency_limit_hertz{policy=0}': 1008e6,
      'cpu.frequency_max_hertz{policy=0}': 1200e6,
      'cpu.frequency_hertz{policy=2}': 912e6,
      'cpu.frequency_limit_hertz{policy=2}': 1008e6,
      'cpu.frequency_max_hertz{policy=2}': 1200e6,
    });
  });

  test('has one for each core whose relations cannot be read, also without the directory of the driver', async () => {
    const kernel = new TextKernel({ ...below(0, '\n', '480000'), ...below(10, 'none\n', '912000') });
    kernel.files.delete(`${CPUS}/cpu0/cpufreq/related_cpus`);
    expect(clocks(await read(new CpuFrequency(kernel)))).toEqual([
      ['cpu.frequency_hertz{policy=0}', 480e6],
      ['cpu.frequency_hertz{policy=10}', 912e6],
    ]);
  });

  test('is searched again when cores or drivers come and go, and only then', async () => {
    const kernel = new TextKernel({ [`${DIRECTORY}/`]: '', ...below(0, '0 1\n', '480000') });
    const listed: string[] = [];
    const sysEntries = kernel.sysEntries.bind(kernel);
    kernel.sysEntries = (directory) => {
      if (directory === 'devices/system/cpu') listed.push(directory);
      return sysEntries(directory);
    };
    const frequency = new CpuFrequency(kernel);
    for (const _scrape of [1, 2, 3]) expect(clocks(await read(frequency))).toHaveLength(1);
    expect(listed).toHaveLength(1);
    for (const [path, text] of Object.entries(below(1, '1\n', '912000'))) kernel.files.set(path, text);
    expect(clocks(await read(frequency, '0,1'))).toHaveLength(2);
    kernel.files.set(`${DIRECTORY}/ondemand/up_threshold`, '95\n');
    await read(frequency, '0,1');
    expect(listed).toHaveLength(3);
  });
});

test('a kernel that does not scale clocks makes it absent, and one without policies has none', async () => {
  await expect(new CpuFrequency(new TextKernel()).read('0')).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  expect(await new CpuFrequency(new TextKernel({ [`${DIRECTORY}/`]: '' })).read('0')).toEqual([]);
});

test('any text at all is a clock or is refused by name', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.nat().map((kilohertz) => `${kilohertz}\n`),
        fc.constant('<unknown>\n'),
      ),
      (text) => {
        try {
          const hertz = parseKilohertz('/sys/x', text);
          const line = text.replace(/\n$/, '');
          if (hertz === undefined) expect(line).toBe('<unknown>');
          else expect(`${hertz / 1000}`).toBe(line.replace(/^0+(?=[0-9])/, ''));
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
          expect((error as AgentError).message).toContain('/sys/x');
        }
      },
    ),
  );
});
