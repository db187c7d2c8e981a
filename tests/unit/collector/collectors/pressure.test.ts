import { describe, expect, test } from '@jest/globals';

import { PressureCollector } from '../../../../collector/src/collectors/pressure.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import {
  indexByIdentity,
  createKernelError,
  readRecorded,
  TextKernel,
} from '../../../support/collector/text-kernel.ts';

const lines = (some: number, full: number) =>
  `some avg10=1.00 avg60=2.00 avg300=3.00 total=${some}\nfull avg10=0.50 avg60=0.25 avg300=0.12 total=${full}\n`;
const files = (text: string) => ({ 'proc/pressure/cpu': text, 'proc/pressure/memory': text, 'proc/pressure/io': text });
const collect = async (kernel: TextKernel) => indexByIdentity(await new PressureCollector(kernel).collect());

test('pressure collector: returns the microseconds of each resource as seconds', async () => {
  const kernel = new TextKernel({ ...files(lines(2_500_000, 1)), 'proc/pressure/io': lines(3_600_000_000, 7_000_000) });
  expect(await collect(kernel)).toEqual({
    'pressure.stalled_seconds_total{resource=cpu,kind=some}': 2.5,
    'pressure.stalled_seconds_total{resource=cpu,kind=full}': 0.000001,
    'pressure.stalled_seconds_total{resource=memory,kind=some}': 2.5,
    'pressure.stalled_seconds_total{resource=memory,kind=full}': 0.000001,
    'pressure.stalled_seconds_total{resource=io,kind=some}': 3600,
    'pressure.stalled_seconds_total{resource=io,kind=full}': 7,
  });
});

test('older kernels have no line "full" for the processor, and only for the processor', async () => {
  const some = lines(1_000_000, 0).split('\n')[0] + '\n';
  expect(await collect(new TextKernel({ 'proc/pressure/cpu': some }))).toEqual({
    'pressure.stalled_seconds_total{resource=cpu,kind=some}': 1,
  });
  await expect(collect(new TextKernel({ 'proc/pressure/io': some }))).rejects.toThrow(
    'cannot parse /proc/pressure/io: no line full',
  );
});

test('pressure collector: interrupts only have a line "full", from Linux 6.1 on', async () => {
  const full = 'full avg10=0.00 avg60=0.00 avg300=0.00 total=8494\n';
  expect(await collect(new TextKernel({ ...files(lines(1, 1)), 'proc/pressure/irq': full }))).toMatchObject({
    'pressure.stalled_seconds_total{resource=io,kind=full}': 0.000001,
    'pressure.stalled_seconds_total{resource=irq,kind=full}': 0.008494,
  });
  await expect(collect(new TextKernel({ 'proc/pressure/irq': lines(1, 1).split('\n')[0] + '\n' }))).rejects.toThrow(
    'cannot parse /proc/pressure/irq: no line full',
  );
});

describe('pressure collector: a resource', () => {
  const FILES = ['cpu', 'memory', 'io', 'irq'];

  test.each(FILES)('is read though the others are absent: %s', async (resource) => {
    const readings = await collect(new TextKernel({ [`proc/pressure/${resource}`]: lines(1_000_000, 2_000_000) }));
    expect(readings).toEqual({
      [`pressure.stalled_seconds_total{resource=${resource},kind=some}`]: 1,
      [`pressure.stalled_seconds_total{resource=${resource},kind=full}`]: 2,
    });
  });

  test.each(FILES)('costs no other when it cannot be read: %s', async (resource) => {
    const kernel = new TextKernel({ ...files(lines(1, 1)), 'proc/pressure/irq': lines(1, 1) });
    kernel.errors.set(`proc/pressure/${resource}`, createKernelError(`/proc/pressure/${resource}`, 'EIO'));
    const error = await collect(kernel).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_UNREADABLE',
      message: expect.stringContaining(`/proc/pressure/${resource}`),
    });
    expect(extractReadings(error)).toHaveLength(6);
  });
});

test('pressure collector: a malformed line costs itself', async () => {
  const kernel = new TextKernel({
    ...files(lines(1, 1)),
    'proc/pressure/io': lines(5_000_000, 1).replace('total=1', 'total=x'),
  });
  const error = await collect(kernel).catch((thrown: unknown) => thrown);
  expect((error as Error).message).toBe('cannot parse /proc/pressure/io: line 2: "x" is not a number');
  expect(indexByIdentity(extractReadings(error))['pressure.stalled_seconds_total{resource=io,kind=some}']).toBe(5);
  expect(extractReadings(error)).toHaveLength(5);
});

describe('a kernel without pressure information', () => {
  test('makes the collector absent', async () => {
    await expect(collect(new TextKernel())).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });

  test('also if it has the files and was booted with it off', async () => {
    const kernel = new TextKernel(files(lines(1, 1)));
    for (const one of ['cpu', 'memory', 'io'])
      kernel.errors.set(`proc/pressure/${one}`, createKernelError(`/proc/pressure/${one}`, 'ENOTSUP'));
    await expect(collect(kernel)).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });
});

test('the recorded device is read as it stands in its files', async () => {
  const kernel = new TextKernel(
    Object.fromEntries(
      ['cpu', 'memory', 'io'].map((one) => [`proc/pressure/${one}`, readRecorded(`proc-later/pressure/${one}`)]),
    ),
  );
  expect(await collect(kernel)).toEqual({
    'pressure.stalled_seconds_total{resource=cpu,kind=some}': 884.473808,
    'pressure.stalled_seconds_total{resource=cpu,kind=full}': 0,
    'pressure.stalled_seconds_total{resource=memory,kind=some}': 0,
    'pressure.stalled_seconds_total{resource=memory,kind=full}': 0,
    'pressure.stalled_seconds_total{resource=io,kind=some}': 35.990008,
    'pressure.stalled_seconds_total{resource=io,kind=full}': 19.546238,
  });
});
