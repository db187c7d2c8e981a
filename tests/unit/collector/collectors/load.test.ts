import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { LoadCollector, parseLoadavg, parseUptime } from '../../../../collector/src/collectors/load.ts';
import { indexByIdentity, readRecorded, TextKernel } from '../../../support/collector/text-kernel.ts';

const collect = async (loadavg: string, uptime: string) =>
  indexByIdentity(
    await new LoadCollector(new TextKernel({ 'proc/loadavg': loadavg, 'proc/uptime': uptime })).collect(),
  );

test('load collector: returns the averages in the order of the file, and the uptime', async () => {
  expect(await collect('1.50 2.25 13.75 3/456 7890\n', '86400.25 172000.50\n')).toEqual({
    'load.average_1m': 1.5,
    'load.average_5m': 2.25,
    'load.average_15m': 13.75,
    'system.uptime_seconds': 86_400.25,
  });
});

test('every number that the kernel can print is read as it is', () => {
  const printed = (hundredths: number) =>
    `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
  const hundredths = fc.nat(2 ** 40);
  fc.assert(
    fc.property(hundredths, hundredths, hundredths, (one, five, fifteen) => {
      expect(parseLoadavg(`${[one, five, fifteen].map(printed).join(' ')} 1/2 3\n`)).toEqual(
        [one, five, fifteen].map((value) => value / 100),
      );
      expect(parseUptime(`${printed(one)} ${printed(five)}\n`)).toBe(one / 100);
    }),
  );
});

test('a kernel without one of the two files makes the collector absent', async () => {
  const without = new LoadCollector(new TextKernel({ 'proc/loadavg': readRecorded('proc/loadavg') }));
  await expect(without.collect()).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
});

test('the recorded device is read as it stands in its files', async () => {
  expect(await collect(readRecorded('proc-later/loadavg'), readRecorded('proc-later/uptime'))).toEqual({
    'load.average_1m': 0.27,
    'load.average_5m': 0.15,
    'load.average_15m': 0.11,
    'system.uptime_seconds': 2017.33,
  });
});
