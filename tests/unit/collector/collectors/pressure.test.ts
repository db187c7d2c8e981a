import { describe, expect, test } from '@jest/globals';

import { parsePressure, PressureCollector } from '../../../../collector/src/collectors/pressure.ts';
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
  expect([...parsePressure('cpu', some)]).toEqual([['some', 1]]);
  expect(() => parsePressure('io', some)).toThrow('cannot parse /proc/pressure/io: no line full');
});

describe('a kernel without pressure information', () => {
  test('makes the collector absent', async () => {
    await expect(collect(new TextKernel())).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  });

  test('also if it has the files and was booted with it off', async () => {
    const kernel = new TextKernel(files(lines(1, 1)));
    kernel.errors.set('proc/pressure/cpu', createKernelError('/proc/pressure/cpu', 'ENOTSUP'));
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
