import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { LoadCollector } from '../../../../collector/src/collectors/load.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
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

test('every number that the kernel can print is read as it is', async () => {
  const printed = (hundredths: number) =>
    `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
  const hundredths = fc.nat(900_000_000_000);
  await fc.assert(
    fc.asyncProperty(hundredths, hundredths, hundredths, async (one, five, fifteen) => {
      const readings = await collect(
        `${[one, five, fifteen].map(printed).join(' ')} 1/2 3\n`,
        `${printed(one)} ${printed(five)}\n`,
      );
      expect(Object.values(readings)).toEqual([one, five, fifteen, one].map((value) => value / 100));
    }),
  );
});

test('load collector: an uptime with one decimal, as old lxcfs writes it, is read', async () => {
  expect((await collect('0.10 0.20 0.30 1/2 3\n', '41.0 41.0\n'))['system.uptime_seconds']).toBe(41);
});

test.each([
  ['loadavg', ['load.average_1m', 'load.average_5m', 'load.average_15m']],
  ['uptime', ['system.uptime_seconds']],
])('load collector: %s is read without the other file', async (file, names) => {
  const text = readRecorded(`proc/${file}`);
  const readings = await new LoadCollector(new TextKernel({ [`proc/${file}`]: text })).collect();
  expect(Object.keys(indexByIdentity(readings))).toEqual(names);
});

test('load collector: is absent without either file', async () => {
  await expect(new LoadCollector(new TextKernel()).collect()).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
});

test.each([
  ['0.10 x 0.30 1/2 3\n', '41.00 3.00\n', '/proc/loadavg: line 1: "x"', [0.1, 0.3, 41]],
  ['0.10 0.20 0.30 1/2 3\n', 'x 3.00\n', '/proc/uptime: line 1: "x"', [0.1, 0.2, 0.3]],
  ['0.10 0.20 0.30 1/2 3\n', '18446744073709551604.0 0.0\n', '/proc/uptime: line 1: 18446744073709', [0.1, 0.2, 0.3]],
  // A field is missing, and which one is not known.
  ['0.10 0.30 1/2 3\n', '41.00 3.00\n', '/proc/loadavg: line 1: "1/2"', [41]],
  ['0.10 0.20\n', '41.00 3.00\n', '/proc/loadavg: line 1: 2 numbers', [41]],
])('load collector: a malformed amount costs itself: %j and %j', async (loadavg, uptime, named, values) => {
  const error = await collect(loadavg, uptime).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'KERNEL_FILE_MALFORMED',
    message: expect.stringContaining(`cannot parse ${named}`),
  });
  expect(extractReadings(error).map(({ value }) => value)).toEqual(values);
});

test('load collector: what nobody reads of uptime, the idle time, is not judged', async () => {
  expect((await collect('0.10 0.20 0.30 1/2 3\n', '41.00 -7\n'))['system.uptime_seconds']).toBe(41);
});

test('the recorded device is read as it stands in its files', async () => {
  expect(await collect(readRecorded('proc-later/loadavg'), readRecorded('proc-later/uptime'))).toEqual({
    'load.average_1m': 0.27,
    'load.average_5m': 0.15,
    'load.average_15m': 0.11,
    'system.uptime_seconds': 2017.33,
  });
});
