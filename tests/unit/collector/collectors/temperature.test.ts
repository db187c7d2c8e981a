// Longer than a test should be: the collector reads three classes of sysfs, each with faults of its own.
import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';
import fc from 'fast-check';

import { parseTemperature } from '../../../../collector/src/collectors/parsing/temperature-text.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { TemperatureCollector } from '../../../../collector/src/collectors/temperature.ts';
import { indexByIdentity, createKernelError, TextKernel } from '../../../support/collector/text-kernel.ts';

/** Texts of sysfs below /sys/class, which end in a newline. */
function board(files: Readonly<Record<string, string>>) {
  const kernel = new TextKernel(
    Object.fromEntries(Object.entries(files).map(([path, text]) => [`sys/class/${path}`, `${text}\n`])),
  );
  const collector = new TemperatureCollector(kernel);
  const zones = async (): Promise<Record<string, unknown>> => {
    const readings = Object.entries(indexByIdentity(await collector.collect()));
    return Object.fromEntries(
      readings.map(([name, value]) => [/^cpu\.temperature_celsius\{zone=(.*)\}$/.exec(name)?.[1] ?? name, value]),
    );
  };
  return { kernel, collector, zones };
}

const zone = (number: number, type: string, temp: string) => ({
  [`thermal/thermal_zone${number}/type`]: type,
  [`thermal/thermal_zone${number}/temp`]: temp,
});
const nvme = (number: number, temp: string) => ({
  [`hwmon/hwmon${number}/name`]: 'nvme',
  [`hwmon/hwmon${number}/temp1_input`]: temp,
  [`hwmon/hwmon${number}/temp1_label`]: 'Composite',
});

test('thermal zones go by their type, in degrees', async () => {
  const { zones } = board({
    ...zone(0, 'soc-thermal', '48123'),
    ...zone(1, 'gpu-thermal', '-5000'),
    'thermal/cooling_device0/type': 'fan',
  });
  expect(await zones()).toEqual({ 'soc-thermal': 48.123, 'gpu-thermal': -5 });
});

test('sensors of hwmon go by chip and label, or by chip and number where they have no label', async () => {
  const { zones } = board({
    ...nvme(1, '38850'),
    'hwmon/hwmon0/name': 'coretemp',
    'hwmon/hwmon0/temp2_input': '41000',
    'hwmon/hwmon0/temp10_input': '43000',
    'hwmon/hwmon0/temp10_label': 'Core 8',
    'hwmon/hwmon0/temp2_max': '100000',
    'hwmon/hwmon0/in0_input': '12000',
  });
  const found = await zones();
  expect(found).toEqual({ 'coretemp temp2': 41, 'coretemp Core 8': 43, 'nvme Composite': 38.85 });
  expect(Object.keys(found)).toEqual(['coretemp temp2', 'coretemp Core 8', 'nvme Composite']);
});

describe('sensors of one name', () => {
  test('are told apart by their directory, the first keeps the plain name', async () => {
    const { zones } = board({
      ...zone(10, 'acpitz', '30000'),
      ...zone(2, 'acpitz', '20000'),
      ...nvme(3, '40000'),
      ...nvme(11, '50000'),
    });
    expect(await zones()).toEqual({
      acpitz: 20,
      'acpitz (thermal_zone10)': 30,
      'nvme Composite': 40,
      'nvme Composite (hwmon11)': 50,
    });
  });

  test('keep their names while one of them does not answer', async () => {
    const { kernel, zones } = board({ ...zone(0, 'acpitz', '20000'), ...zone(1, 'acpitz', '30000') });
    kernel.errors.set(
      'sys/class/thermal/thermal_zone0/temp',
      createKernelError('/sys/class/thermal/thermal_zone0/temp', 'EAGAIN'),
    );
    expect(await zones()).toEqual({ 'acpitz (thermal_zone1)': 30 });
  });
});

test('an hwmon chip that only mirrors a thermal zone is left out', async () => {
  const { zones } = board({
    ...zone(0, 'cpu-thermal', '48000'),
    'hwmon/hwmon0/name': 'cpu_thermal',
    'hwmon/hwmon0/temp1_input': '48000',
    'hwmon/hwmon0/device/available_policies': 'step_wise',
  });
  expect(await zones()).toEqual({ 'cpu-thermal': 48 });
});

test('a sensor without a readable name goes by its directory', async () => {
  const { kernel, zones } = board({
    'thermal/thermal_zone0/temp': '1000',
    ...zone(1, ' ', '2000'),
    'hwmon/hwmon4/temp1_input': '3000',
  });
  kernel.errors.set('sys/class/hwmon/hwmon4/name', createKernelError('/sys/class/hwmon/hwmon4/name', 'EACCES'));
  expect(await zones()).toEqual({ thermal_zone0: 1, thermal_zone1: 2, 'hwmon4 temp1': 3 });
});

describe('a sensor that cannot be used', () => {
  const path = 'class/thermal/thermal_zone0/temp';

  test.each(['EAGAIN', 'EIO', 'ENODATA', 'EINVAL', 'EACCES', 'ETIMEDOUT', 'ENXIO', 'ENODEV', 'ENOENT'])(
    'and answers %s is left out alone, until it answers',
    async (code) => {
      const { kernel, zones } = board({ ...zone(0, 'modem', '50000'), ...zone(1, 'soc', '48000') });
      kernel.errors.set(`sys/${path}`, createKernelError(`/sys/${path}`, code));
      expect(await zones()).toEqual({ soc: 48 });
      kernel.errors.clear();
      expect(await zones()).toEqual({ modem: 50, soc: 48 });
    },
  );

  test.each([
    '-273150',
    '6280000',
    '4294967295',
    '-274000',
    '-2147483648',
    '',
    'abc',
    '48.5',
    '+5',
    '0x10',
    '1e3',
    '99999999999',
    '1 2',
    '1\n2',
  ])('and writes %j is left out alone', async (text) => {
    const { zones } = board({ ...zone(0, 'modem', text), ...zone(1, 'soc', '48000') });
    expect(await zones()).toEqual({ soc: 48 });
  });

  test('makes the collector fail where there is no other that works', async () => {
    const { kernel, collector } = board({ ...zone(0, 'modem', '-274000'), ...zone(1, 'soc', '48000') });
    kernel.errors.set(
      'sys/class/thermal/thermal_zone1/temp',
      createKernelError('/sys/class/thermal/thermal_zone1/temp', 'ENODEV'),
    );
    await expect(collector.collect()).rejects.toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: `cannot parse /sys/${path}: line 1: -274000 is not above absolute zero`,
    });
    kernel.errors.set(`sys/${path}`, createKernelError(`/sys/${path}`, 'EIO'));
    await expect(collector.collect()).rejects.toMatchObject({
      code: 'KERNEL_FILE_UNREADABLE',
      message: expect.stringContaining(path),
    });
  });
});

test('temperature: a class that cannot be listed is named, and does not affect the sensors of the other', async () => {
  for (const [unlisted, expected] of [
    ['class/thermal', 'nvme Composite'],
    ['class/hwmon', 'soc'],
  ] as const) {
    const { kernel, collector } = board({ ...zone(0, 'soc', '48000'), ...nvme(0, '40000') });
    const list = kernel.sysEntries.bind(kernel);
    kernel.sysEntries = (path) =>
      path === unlisted ? Promise.reject(createKernelError(`/sys/${path}`, 'EACCES')) : list(path);
    const error: unknown = await collector.collect().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_UNREADABLE', message: expect.stringContaining(unlisted) });
    expect(extractReadings(error).map(({ labels }) => labels['zone'])).toEqual([expected]);
  }
});

describe('the collector is absent', () => {
  test('where there are no sensors, or directories without any', async () => {
    const absent = {
      code: 'KERNEL_FILE_ABSENT',
      message: '/sys/class/thermal and /sys/class/hwmon have no temperature sensor',
    };
    await expect(board({}).collector.collect()).rejects.toMatchObject(absent);
    await expect(
      board({ 'thermal/cooling_device0/type': 'fan', 'hwmon/hwmon0/in0_input': '1' }).collector.collect(),
    ).rejects.toMatchObject(absent);
  });

  test('where all sensors have gone', async () => {
    const { kernel, collector } = board(zone(0, 'soc', '48000'));
    kernel.errors.set(
      'sys/class/thermal/thermal_zone0/temp',
      createKernelError('/sys/class/thermal/thermal_zone0/temp', 'ENODEV'),
    );
    await expect(collector.collect()).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });
});

describe('names', () => {
  test('are read once, not at every scrape', async () => {
    const { kernel, zones } = board({ ...zone(0, 'soc', '48000'), ...nvme(0, '40000') });
    await zones();
    const read: string[] = [];
    const sys = kernel.sys.bind(kernel);
    kernel.sys = (path) => {
      read.push(path);
      return sys(path);
    };
    await zones();
    expect(read).toEqual(['class/thermal/thermal_zone0/temp', 'class/hwmon/hwmon0/temp1_input']);
  });

  test('are read again when a sensor is plugged in, and when one has gone and another took its directory', async () => {
    const { kernel, zones } = board({ ...zone(0, 'soc', '48000'), ...nvme(0, '40000') });
    await zones();
    for (const [path, text] of Object.entries(nvme(1, '41000'))) kernel.files.set(`sys/class/${path}`, `${text}\n`);
    expect(await zones()).toEqual({ soc: 48, 'nvme Composite': 40, 'nvme Composite (hwmon1)': 41 });
    for (const file of ['name', 'temp1_input', 'temp1_label']) kernel.files.delete(`sys/class/hwmon/hwmon0/${file}`);
    kernel.files.set('sys/class/hwmon/hwmon0/temp2_input', '42000\n');
    kernel.files.set('sys/class/hwmon/hwmon0/name', 'drivetemp\n');
    expect(await zones()).toEqual({ soc: 48, 'nvme Composite (hwmon1)': 41 });
    expect(await zones()).toEqual({ soc: 48, 'drivetemp temp2': 42, 'nvme Composite': 41 });
  });
});

test('every temperature that there can be is read as it is, and none that there cannot', () => {
  fc.assert(
    fc.property(fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }), (thousandths) => {
      const parse = () => parseTemperature('/sys/x', `${thousandths}\n`);
      if (thousandths <= -273_150) expect(parse).toThrow('not above absolute zero');
      else if (thousandths > 2_000_000) expect(parse).toThrow('above 2000 °C');
      else expect(parse()).toBe(thousandths / 1000);
    }),
  );
  expect(parseTemperature('/sys/x', '-273149\n')).toBe(-273.149);
  expect(parseTemperature('/sys/x', '2000000\n')).toBe(2000);
});

test('any text at all is a temperature or is refused by name', () => {
  const digits = fc.string({ unit: fc.constantFrom('-', '0', '1', '9', '.', ' ', '\n'), maxLength: 8 });
  fc.assert(
    fc.property(fc.oneof(digits, fc.string({ unit: 'binary' })), (text) => {
      try {
        expect(parseTemperature('/sys/x', text)).toBe(Number(text) / 1000);
        expect(Number(text)).toBeGreaterThan(-273_150);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        expect(error).toMatchObject({
          code: 'KERNEL_FILE_MALFORMED',
          message: expect.stringMatching(/^cannot parse \/sys\/x: /),
        });
      }
    }),
    { numRuns: 1000 },
  );
});
