import { expect, test } from '@jest/globals';

import { PowerCollector } from '../../../../collector/src/collectors/power.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../support/collector/text-kernel.ts';

/** Attributes by supply: `{ ac: { online: '1' } }`. */
function kernelOf(supplies: Readonly<Record<string, Readonly<Record<string, string>>>>): TextKernel {
  const files = Object.entries(supplies).flatMap(([supply, attributes]) =>
    Object.entries(attributes).map(
      ([name, text]) => [`sys/class/power_supply/${supply}/${name}`, `${text}\n`] as const,
    ),
  );
  return new TextKernel(Object.fromEntries(files));
}
const collect = async (kernel: TextKernel) => indexByIdentity(await new PowerCollector(kernel).collect());

test('power collector: reads a charger and a battery, in volts, amperes and watts', async () => {
  const battery = { capacity: '87', status: 'Discharging', voltage_now: '3912000', current_now: '-412000' };
  expect(await collect(kernelOf({ ac: { online: '0' }, bat: { ...battery, power_now: '1611000' } }))).toEqual({
    'power.online{supply=ac}': 0,
    'power.capacity_percent{supply=bat}': 87,
    'power.discharging{supply=bat}': 1,
    'power.voltage_volts{supply=bat}': 3.912,
    'power.current_amperes{supply=bat}': -0.412,
    'power.power_watts{supply=bat}': 1.611,
  });
});

test.each([
  ['Charging', { 'power.discharging{supply=ups}': 0 }],
  ['Not charging', { 'power.discharging{supply=ups}': 0 }],
  ['Full', { 'power.discharging{supply=ups}': 0 }],
  ['Unknown', {}],
])('power collector: a UPS whose status is %s', async (status, expected) => {
  expect(await collect(kernelOf({ ups: { status } }))).toEqual(expected);
});

test('power collector: the battery of a mouse is left out, and one of USB PD counts as online', async () => {
  const mouse = { scope: 'Device', capacity: '3', online: '1' };
  expect(await collect(kernelOf({ hid: mouse, usb: { scope: 'System', online: '2' } }))).toEqual({
    'power.online{supply=usb}': 1,
  });
});

test('power collector: is absent where there is no supply', async () => {
  const absent = { code: 'KERNEL_FILE_ABSENT' };
  await expect(collect(new TextKernel())).rejects.toMatchObject(absent);
  await expect(collect(new TextKernel({ 'sys/class/power_supply/': '' }))).rejects.toMatchObject(absent);
});

test('power collector: reads the attributes that a supply has, and asks for no others', async () => {
  const kernel = kernelOf({ ac: { online: '1', type: 'Mains' } });
  const asked: string[] = [];
  const read = kernel.sys.bind(kernel);
  kernel.sys = (path) => {
    asked.push(path);
    return read(path);
  };
  expect(await collect(kernel)).toEqual({ 'power.online{supply=ac}': 1 });
  expect(asked).toEqual(['class/power_supply/ac/online']);
});

test('power collector: an attribute without a value at the moment costs itself', async () => {
  const kernel = kernelOf({ bat: { capacity: '50', voltage_now: '' } });
  const file = 'sys/class/power_supply/bat/voltage_now';
  kernel.errors.set(file, createKernelError(`/${file}`, 'ENODATA'));
  expect(await collect(kernel)).toEqual({ 'power.capacity_percent{supply=bat}': 50 });
});

test.each([
  ['online', '3'],
  ['capacity', '101'],
  ['capacity', ''],
  ['status', 'constructor'],
  ['voltage_now', '1.5'],
  ['current_now', '- 5'],
])('power collector: %s of %j is named, and the rest is read', async (name, text) => {
  const good = { online: '1', capacity: '50', status: 'Full', voltage_now: '1', current_now: '1', power_now: '1' };
  const error = await collect(kernelOf({ bat: { ...good, [name]: text } })).catch((thrown: unknown) => thrown);
  const message = expect.stringContaining(`cannot parse /sys/class/power_supply/bat/${name}: `) as unknown;
  expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED', message });
  expect(extractReadings(error)).toHaveLength(5);
});
