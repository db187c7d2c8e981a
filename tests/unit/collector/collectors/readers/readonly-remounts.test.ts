import { expect, test } from '@jest/globals';

import { COLLECTORS } from '../../../../../collector/src/collectors/table.ts';
import { DEFAULT_OPTIONS } from '../../../../support/collector/default-options.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../../support/collector/text-kernel.ts';

const ROOT = '20 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw,errors=remount-ro\n';
const BOOT = '21 20 179:1 / /boot/firmware rw - vfat /dev/mmcblk0p1 rw\n';
const TOTAL = 'filesystem.readonly_remounts_total{mountpoint=/,fstype=ext4}';
const toReadonly = (line: string) => line.replace(/ rw(,|\n)/, ' ro$1');
const EVENT = { message: 'file system became read-only', fields: { mountpoint: '/', device: '/dev/mmcblk0p2' } };

/** Returns what scrapes return of a card: the counter of its root, and the events. */
function scrapes() {
  const kernel = new TextKernel();
  const space = { sizeBytes: 1000, availableBytes: 400, files: 0, filesFree: 0 };
  for (const mountpoint of ['/', '/boot/firmware']) kernel.spaces.set(mountpoint, space);
  const collector = COLLECTORS.filesystem.create({ kernel, options: DEFAULT_OPTIONS });
  const scrape = async (mountinfo: string) => {
    kernel.files.set('proc/self/mountinfo', mountinfo);
    const readings = indexByIdentity(await collector.collect({ monotonicMs: 0 }));
    return { total: readings[TOTAL], events: collector.events };
  };
  return { kernel, collector, scrape };
}

test('read-only remounts: counts a root that becomes read-only, and names it in one event', async () => {
  const { scrape } = scrapes();
  const nothing = { total: undefined, events: [] };
  expect(await scrape(ROOT + BOOT)).toEqual(nothing);
  expect(await scrape(ROOT + BOOT)).toEqual(nothing);
  expect(await scrape(toReadonly(ROOT) + BOOT)).toEqual({ total: 1, events: [EVENT] });
  expect(await scrape(toReadonly(ROOT) + BOOT)).toEqual({ total: 1, events: [] });
  expect(await scrape(ROOT + BOOT)).toEqual({ total: 1, events: [] });
  expect(await scrape(toReadonly(ROOT) + BOOT)).toEqual({ total: 2, events: [EVENT] });
});

test('read-only remounts: a file system to which ext4 stopped writing since Linux 6.12 is read-only', async () => {
  const { scrape } = scrapes();
  await scrape(ROOT);
  expect(await scrape(ROOT.replace('rw,errors', 'rw,emergency_ro,errors'))).toEqual({ total: 1, events: [EVENT] });
});

test('read-only remounts: a root that was read-only at the first scrape has become nothing', async () => {
  const { scrape } = scrapes();
  expect(await scrape(toReadonly(ROOT))).toEqual({ total: undefined, events: [] });
});

test.each([
  ['another card', ROOT.replace('179:2', '179:98')],
  ['another mount', ROOT.replace('20 1', '33 1')],
])('read-only remounts: %s that is mounted read-only in the place of the former is no remount', async (_, line) => {
  const { scrape } = scrapes();
  await scrape(ROOT);
  expect(await scrape(toReadonly(line))).toEqual({ total: undefined, events: [] });
});

test('read-only remounts: an event is not reported again by a scrape that fails', async () => {
  const { kernel, collector, scrape } = scrapes();
  await scrape(ROOT);
  await scrape(toReadonly(ROOT));
  kernel.errors.set('proc/self/mountinfo', createKernelError('/proc/self/mountinfo', 'EIO'));
  await expect(collector.collect({ monotonicMs: 0 })).rejects.toMatchObject({ code: 'KERNEL_FILE_UNREADABLE' });
  expect(collector.events).toEqual([]);
});
