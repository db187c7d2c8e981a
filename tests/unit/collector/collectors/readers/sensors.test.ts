// Longer than a test should be: each way in which drivers name and place their sensors is a case of its own.
import { describe, expect, test } from '@jest/globals';

import { TemperatureCollector } from '../../../../../collector/src/collectors/temperature.ts';
import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { createKernelError, TextKernel } from '../../../../support/collector/text-kernel.ts';

/** An hwmon chip: where its device is below /sys/devices, and its attributes. */
interface ChipFiles {
  readonly device?: string;
  readonly name: string;
  readonly [attribute: string]: string | undefined;
}

/** A device with these chips, numbered in this order; attributes have no newline, as some drivers write them. */
function createDevice(...chips: readonly ChipFiles[]) {
  const kernel = new TextKernel();
  for (const [number, { device, ...attributes }] of chips.entries()) {
    if (device !== undefined) {
      kernel.links.set(`class/hwmon/hwmon${number}`, `devices/${device}/hwmon${number}`);
      kernel.files.set(`sys/devices/${device}/`, '');
    }
    for (const [attribute, text] of Object.entries(attributes))
      kernel.files.set(`sys/class/hwmon/hwmon${number}/${attribute}`, text ?? '');
  }
  return { kernel, collector: new TemperatureCollector(kernel) };
}

async function readZones(collector: TemperatureCollector): Promise<Record<string, unknown>> {
  const readings = await collector.collect();
  expect(new Set(readings.map(({ labels }) => labels['zone'])).size).toBe(readings.length);
  return Object.fromEntries(readings.map(({ labels, value }) => [labels['zone'] ?? '', value]));
}

/** The reasons by file; none counts as failed. */
function listLeftOut({ leftOut }: TemperatureCollector): Record<string, string> {
  expect(leftOut.filter(({ count }) => count > 0)).toEqual([]);
  return Object.fromEntries(leftOut.map(({ subject = '', reason }) => [subject, reason]));
}

const ambients = {
  name: 'dell_smm',
  temp1_label: 'Ambient',
  temp1_input: '29000',
  temp2_label: 'Ambient',
  temp2_input: '30500',
  temp3_label: 'CPU',
  temp3_input: '52000',
  temp10_label: 'Ambient',
  temp10_input: '34000',
};
const drive = (slot: string, celsius: number): ChipFiles => ({
  device: `pci0000:00/0000:00:1d.${slot}/0000:0${slot}:00.0/nvme/nvme${celsius % 2}`,
  name: 'nvme',
  temp1_label: 'Composite',
  temp1_input: `${celsius}000`,
  temp2_label: `Sensor ${slot}`,
  temp2_input: `${celsius + 1}000`,
});

describe('sensors: of one name', () => {
  test('sensors: three inputs of one chip with one label are told apart by their number', async () => {
    expect(await readZones(createDevice(ambients).collector)).toEqual({
      'dell_smm Ambient (temp1)': 29,
      'dell_smm Ambient (temp2)': 30.5,
      'dell_smm CPU': 52,
      'dell_smm Ambient (temp10)': 34,
    });
  });

  test('sensors: two drives keep their series when they come up in another order', async () => {
    const expected = {
      'nvme Composite (0000:03:00.0)': 38,
      'nvme Sensor 3': 39,
      'nvme Composite (0000:04:00.0)': 57,
      'nvme Sensor 4': 58,
    };
    expect(await readZones(createDevice(drive('3', 38), drive('4', 57)).collector)).toEqual(expected);
    expect(await readZones(createDevice(drive('4', 57), drive('3', 38)).collector)).toEqual(expected);
  });

  test('sensors: a drive alone keeps the plain name', async () => {
    expect(await readZones(createDevice(drive('3', 38)).collector)).toEqual({
      'nvme Composite': 38,
      'nvme Sensor 3': 39,
    });
  });

  test('sensors: a recording without the link of the class is told by that of the device', async () => {
    const { kernel, collector } = createDevice(
      { name: 'lm75', temp1_input: '20000' },
      { name: 'lm75', temp1_input: '21000' },
    );
    for (const [number, address] of [
      [0, '1-004a'],
      [1, '1-0049'],
    ] as const) {
      kernel.links.set(`class/hwmon/hwmon${number}/device`, `devices/platform/soc/fe804000.i2c/i2c-1/${address}`);
      kernel.files.set(`sys/devices/platform/soc/fe804000.i2c/i2c-1/${address}/`, '');
    }
    expect(await readZones(collector)).toEqual({
      'lm75 temp1 (fe804000.i2c 004a)': 20,
      'lm75 temp1 (fe804000.i2c 0049)': 21,
    });
  });

  test('sensors: zones of ACPI are told apart by their node', async () => {
    const kernel = new TextKernel();
    for (const [number, node, temp] of [
      [0, '01', '31000'],
      [3, '00', '27800'],
    ] as const) {
      const entry = `devices/virtual/thermal/thermal_zone${number}`;
      kernel.links.set(`class/thermal/thermal_zone${number}`, entry);
      kernel.links.set(`${entry}/device`, `devices/LNXSYSTM:00/LNXSYBUS:01/LNXTHERM:${node}`);
      kernel.files.set(`sys/class/thermal/thermal_zone${number}/type`, 'acpitz\n');
      kernel.files.set(`sys/class/thermal/thermal_zone${number}/temp`, `${temp}\n`);
    }
    expect(await readZones(new TemperatureCollector(kernel))).toEqual({
      'acpitz (LNXTHERM:01)': 31,
      'acpitz (LNXTHERM:00)': 27.8,
    });
  });

  test('sensors: another chip that took the number and the attributes of one is noticed at the next scrape', async () => {
    const { kernel, collector } = createDevice(drive('3', 38));
    await readZones(collector);
    kernel.links.set('class/hwmon/hwmon0', 'devices/pci0000:00/0000:00:18.3/hwmon/hwmon0');
    kernel.files.set('sys/class/hwmon/hwmon0/name', 'k10temp\n');
    kernel.files.set('sys/class/hwmon/hwmon0/temp1_label', 'Tctl\n');
    expect(await readZones(collector)).toMatchObject({ 'k10temp Tctl': 38 });
  });
});

describe('sensors: attributes of a chip that was registered the old way', () => {
  test('sensors: are those of its device', async () => {
    const { collector } = createDevice({
      name: '',
      'device/name': 'w83627ehf',
      'device/temp1_input': '33000',
      'device/temp1_label': 'SYSTIN',
      'device/temp2_input': '41500',
      'device/in0_input': '1200',
    });
    expect(await readZones(collector)).toEqual({ 'w83627ehf SYSTIN': 33, 'w83627ehf temp2': 41.5 });
  });

  test('sensors: come beside those of the chip, which are taken if both have one', async () => {
    const { collector } = createDevice({
      name: 'thinkpad',
      temp1_input: '47000',
      'device/name': 'another',
      'device/temp1_input': '1000',
      'device/temp2_input': '44000',
      'device/temp2_label': 'GPU',
    });
    expect(await readZones(collector)).toEqual({ 'thinkpad temp1': 47, 'thinkpad GPU': 44 });
  });
});

test('sensors: a chip whose directory cannot be read is named, and takes no other along', async () => {
  const { kernel, collector } = createDevice(ambients, drive('3', 38));
  const list = kernel.sysEntries.bind(kernel);
  kernel.sysEntries = (path) =>
    path === 'class/hwmon/hwmon0' ? Promise.reject(createKernelError(`/sys/${path}`, 'EACCES')) : list(path);
  const error: unknown = await collector.collect().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'KERNEL_FILE_UNREADABLE', message: expect.stringContaining('hwmon0') });
  expect(extractReadings(error).map(({ labels }) => labels['zone'])).toEqual(['nvme Composite', 'nvme Sensor 3']);
});

test('sensors: one that its chip reports a fault of is left out and named, until it has none', async () => {
  const { kernel, collector } = createDevice({
    name: 'lm90',
    temp1_input: '41000',
    temp1_fault: '0',
    temp2_input: '-64000',
    temp2_fault: '1\n',
    'device/temp3_input': '127875',
    'device/temp3_fault': '1',
    temp4_input: '52000',
    temp4_fault: '',
  });
  const fault = 'sys/class/hwmon/hwmon0/temp4_fault';
  kernel.errors.set(fault, createKernelError(fault, 'EIO'));
  expect(await readZones(collector)).toEqual({ 'lm90 temp1': 41, 'lm90 temp4': 52 });
  expect(listLeftOut(collector)).toEqual({
    'class/hwmon/hwmon0/temp2_input':
      '/sys/class/hwmon/hwmon0/temp2_fault is 1: the chip reports a fault of the sensor',
    'class/hwmon/hwmon0/device/temp3_input':
      '/sys/class/hwmon/hwmon0/device/temp3_fault is 1: the chip reports a fault of the sensor',
  });
  kernel.files.set('sys/class/hwmon/hwmon0/temp2_fault', '0\n');
  kernel.files.set('sys/class/hwmon/hwmon0/temp2_input', '38000\n');
  expect(await readZones(collector)).toMatchObject({ 'lm90 temp2': 38 });
});

describe('sensors: are searched for', () => {
  /** Counts how often the names of sensors are read. */
  function countSearches(kernel: TextKernel, name: string) {
    const read = kernel.sys.bind(kernel);
    const counter = { searches: 0 };
    kernel.sys = (path) => {
      if (path === name) counter.searches += 1;
      return read(path);
    };
    return counter;
  }

  test.each(['ENODEV', 'ENXIO', 'EAGAIN'])('sensors: not again and again for one that returns %s', async (code) => {
    const { kernel, collector } = createDevice(ambients);
    const file = 'sys/class/hwmon/hwmon0/temp2_input';
    kernel.errors.set(file, createKernelError(file, code));
    const counter = countSearches(kernel, 'class/hwmon/hwmon0/name');
    for (let scrape = 0; scrape < 6; scrape += 1) await collector.collect();
    expect(counter.searches).toBeLessThanOrEqual(2);
    kernel.errors.clear();
    expect(await readZones(collector)).toMatchObject({ 'dell_smm Ambient (temp2)': 30.5 });
  });

  test('cooling devices: not again and again for an intel_powerclamp at -1', async () => {
    const powerClamp = 'sys/class/thermal/cooling_device0';
    const kernel = new TextKernel({
      [`${powerClamp}/type`]: 'intel_powerclamp\n',
      [`${powerClamp}/max_state`]: '50\n',
      [`${powerClamp}/cur_state`]: '-1\n',
    });
    const collector = new TemperatureCollector(kernel);
    const counter = countSearches(kernel, 'class/thermal/cooling_device0/type');
    for (let scrape = 0; scrape < 6; scrape += 1) {
      const readings = await collector.collect();
      expect(readings.map(({ series, value }) => [series.name, value])).toEqual([
        ['thermal.cooling_state', 0],
        ['thermal.cooling_state_max', 50],
      ]);
    }
    expect(counter.searches).toBe(1);
    expect(listLeftOut(collector)).toEqual({});
  });
});

describe('sensors: what is no temperature is left out and named, while the others are read', () => {
  const readWith = async (text: string) => {
    const { collector } = createDevice({ name: 'nct6775', temp1_input: text, temp2_input: '40000' });
    return { zones: await readZones(collector), leftOut: listLeftOut(collector) };
  };
  const file = 'class/hwmon/hwmon0/temp1_input';

  test.each([
    ['-273150', 'not above absolute zero'],
    ['-274000', 'not above absolute zero'],
    ['6280000', 'above 2000 °C'],
    ['4294967295', 'above 2000 °C'],
    ['0xffffffff', '"0xffffffff" is not a number'],
    ['', 'empty'],
    ['n/a', '"n/a" is not a number'],
  ])('sensors: %j', async (text, reason) => {
    const { zones, leftOut } = await readWith(text);
    expect(zones).toEqual({ 'nct6775 temp2': 40 });
    expect(leftOut).toEqual({ [file]: expect.stringContaining(reason) });
    expect(leftOut[file]).toContain(`/sys/${file}`);
  });

  test.each([
    ['-273149', -273.149],
    ['-55000', -55],
    ['0', 0],
    ['65', 0.065],
    ['127500', 127.5],
    ['1768000', 1768],
  ])('sensors: %j is one', async (text, value) => {
    expect(await readWith(text)).toEqual({ zones: { 'nct6775 temp1': value, 'nct6775 temp2': 40 }, leftOut: {} });
  });
});

describe('thermal zones: whole degrees', () => {
  const zonesOf = async (type: string, temp: string) => {
    const kernel = new TextKernel({
      'sys/class/thermal/thermal_zone0/type': `${type}\n`,
      'sys/class/thermal/thermal_zone0/temp': `${temp}\n`,
      'sys/class/thermal/thermal_zone1/type': 'gpu\n',
      'sys/class/thermal/thermal_zone1/temp': '33000\n',
    });
    const collector = new TemperatureCollector(kernel);
    return { zones: await readZones(collector), named: Object.keys(listLeftOut(collector)) };
  };

  test.each([
    ['sunxi-therm', '65', 65],
    ['sunxi-therm-1', '-7', -7],
    ['sunxi-therm-2', '0', 0],
    ['sunxi-therm-1', '58123', 58.123],
  ])('thermal zones: are those of %s at %s', async (type, temp, value) => {
    expect(await zonesOf(type, temp)).toEqual({ zones: { [type]: value, gpu: 33 }, named: [] });
  });

  test.each(['65', '199', '-12'])(
    'thermal zones: may be those of another type at %s, which is left out',
    async (temp) => {
      expect(await zonesOf('cpu_thermal_zone', temp)).toEqual({
        zones: { gpu: 33 },
        named: ['class/thermal/thermal_zone0/temp'],
      });
    },
  );

  test.each([
    ['0', 0],
    ['200', 0.2],
    ['-1000', -1],
  ])('thermal zones: are not those of another type at %s', async (temp, value) => {
    expect(await zonesOf('cpu_thermal_zone', temp)).toMatchObject({ zones: { cpu_thermal_zone: value } });
  });

  test('hwmon: are those of a zone that an old kernel lists as a chip too', async () => {
    const { collector } = createDevice({ device: 'virtual/hwmon', name: 'sunxi-therm-1', temp1_input: '61' });
    expect(await readZones(collector)).toEqual({ 'sunxi-therm-1 temp1': 61 });
  });
});
