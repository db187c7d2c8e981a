import { expect, test } from '@jest/globals';

import { Cooling } from '../../../../../collector/src/collectors/readers/cooling.ts';
import { TemperatureCollector } from '../../../../../collector/src/collectors/temperature.ts';
import { indexByIdentity, createKernelError, TextKernel } from '../../../../support/collector/text-kernel.ts';

const device = (number: number, type: string, state: string, highest: string) => ({
  [`sys/class/thermal/cooling_device${number}/type`]: `${type}\n`,
  [`sys/class/thermal/cooling_device${number}/cur_state`]: `${state}\n`,
  [`sys/class/thermal/cooling_device${number}/max_state`]: `${highest}\n`,
});

test('devices that cool go by their type, with their state and the highest one', async () => {
  const kernel = new TextKernel({
    ...device(0, 'pwm-fan', '2', '4'),
    ...device(1, 'cpufreq-cpu0', '0', '7'),
    ...device(2, 'Processor', '0', '0'),
  });
  expect(indexByIdentity(await new Cooling(kernel).read())).toEqual({
    'thermal.cooling_state{device=pwm-fan}': 2,
    'thermal.cooling_state_max{device=pwm-fan}': 4,
    'thermal.cooling_state{device=cpufreq-cpu0}': 0,
    'thermal.cooling_state_max{device=cpufreq-cpu0}': 7,
  });
});

test('devices of one type are told apart by their directory, the first keeps the plain name', async () => {
  const kernel = new TextKernel({ ...device(10, 'Processor', '3', '10'), ...device(2, 'Processor', '1', '10') });
  const states = Object.entries(indexByIdentity(await new Cooling(kernel).read())).filter(
    ([name]) => !name.includes('max'),
  );
  expect(states).toEqual([
    ['thermal.cooling_state{device=Processor}', 1],
    ['thermal.cooling_state{device=Processor (cooling_device10)}', 3],
  ]);
});

test.each(['EIO', 'EAGAIN', 'ENODEV'])('a device that answers %s is left out alone, until it answers', async (code) => {
  const kernel = new TextKernel({ ...device(0, 'pwm-fan', '2', '4'), ...device(1, 'gpu', '1', '3') });
  const cooling = new Cooling(kernel);
  const file = 'sys/class/thermal/cooling_device1/cur_state';
  kernel.errors.set(file, createKernelError(file, code));
  expect(Object.keys(indexByIdentity(await cooling.read()))).toHaveLength(2);
  kernel.errors.clear();
  expect(indexByIdentity(await cooling.read())).toHaveProperty(['thermal.cooling_state{device=gpu}'], 1);
});

test.each(['', '\n', '-1\n', 'high\n', '1\n2\n'])('a device that writes %j is left out alone', async (state) => {
  const kernel = new TextKernel({ ...device(0, 'pwm-fan', '2', '4'), ...device(1, 'gpu', '1', '3') });
  kernel.files.set('sys/class/thermal/cooling_device1/cur_state', state);
  expect(Object.keys(indexByIdentity(await new Cooling(kernel).read()))).toHaveLength(2);
});

test('a device that is plugged in is found, and one that was removed is no longer reported', async () => {
  const kernel = new TextKernel(device(0, 'pwm-fan', '2', '4'));
  const cooling = new Cooling(kernel);
  await cooling.read();
  for (const [path, text] of Object.entries(device(1, 'gpu', '1', '3'))) kernel.files.set(path, text);
  expect(indexByIdentity(await cooling.read())).toHaveProperty(['thermal.cooling_state{device=gpu}'], 1);
  for (const path of Object.keys(device(0, '', '', ''))) kernel.files.delete(path);
  expect(Object.keys(indexByIdentity(await cooling.read()))).toEqual([
    'thermal.cooling_state{device=gpu}',
    'thermal.cooling_state_max{device=gpu}',
  ]);
});

test('cooling devices: absent if there are none; the collector returns sensors and cooling devices independently', async () => {
  const processor = device(0, 'Processor', '0', '0');
  await expect(new Cooling(new TextKernel(processor)).read()).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  await expect(new TemperatureCollector(new TextKernel(processor)).collect()).rejects.toMatchObject({
    code: 'KERNEL_FILE_ABSENT',
  });
  expect(await new TemperatureCollector(new TextKernel(device(0, 'pwm-fan', '2', '4'))).collect()).toHaveLength(2);
});
