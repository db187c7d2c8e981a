import { expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';

import { KeptReadings } from '../../../../../collector/src/collectors/readers/kept-readings.ts';
import { SystemCollector } from '../../../../../collector/src/collectors/system.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../../support/collector/text-kernel.ts';

const MINUTE = 60_000;
const OS = 'host/etc/os-release';

test('kept readings: the texts of the system are read once in ten minutes, its architecture at each scrape', async () => {
  const kernel = new TextKernel({ [OS]: 'NAME=Old\n', 'proc/sys/kernel/arch': 'armv7l\n' });
  const collector = new SystemCollector(kernel);
  const scrape = async (monotonicMs: number) => indexByIdentity(await collector.collect({ monotonicMs }));
  const old = { 'system.os_release': 'Old', 'system.architecture': 'armv7l' };
  expect(await scrape(5 * MINUTE)).toEqual(old);
  kernel.files.set(OS, 'NAME=New\n');
  kernel.files.set('host/etc/TZ', 'UTC0\n');
  expect(await scrape(15 * MINUTE - 1)).toEqual(old);
  expect(await scrape(15 * MINUTE)).toEqual({ ...old, 'system.os_release': 'New', 'system.time_zone': 'UTC0' });
});

test('kept readings: a failure is not kept', async () => {
  const kernel = new TextKernel({ [OS]: 'NAME=Linux\n' });
  kernel.errors.set(OS, createKernelError('/etc/os-release', 'EIO'));
  const collector = new SystemCollector(kernel);
  const scrape = () => collector.collect({ monotonicMs: 0 });
  for (const _ of [1, 2]) await expect(scrape()).rejects.toMatchObject({ code: 'KERNEL_FILE_UNREADABLE' });
  kernel.errors.clear();
  expect(indexByIdentity(await scrape())).toEqual({ 'system.os_release': 'Linux' });
});

test('kept readings: whether the clock is synchronized is read at each scrape, once a time service is there', async () => {
  const kernel = new TextKernel({ [OS]: 'NAME=Linux\n' });
  const collector = new SystemCollector(kernel);
  const scrape = async (monotonicMs: number) =>
    indexByIdentity(await collector.collect({ monotonicMs }))['system.clock_synchronized'];
  expect(await scrape(0)).toBeUndefined();
  kernel.ages.set('host/run/systemd/timesync', 1);
  expect(await scrape(10 * MINUTE - 1)).toBeUndefined();
  expect(await scrape(10 * MINUTE)).toBe(0);
  kernel.ages.set('host/run/systemd/timesync/synchronized', 1);
  expect(await scrape(10 * MINUTE + 1)).toBe(1);
});

test('kept readings: that a source is absent is kept, and thrown at each scrape', async () => {
  let reads = 0;
  const kept = new KeptReadings(() => {
    reads += 1;
    return Promise.reject(new AgentError('no such file', { code: 'KERNEL_FILE_ABSENT' }));
  });
  for (const _ of [1, 2, 3]) await expect(kept.read(0)).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  expect(reads).toBe(1);
});
