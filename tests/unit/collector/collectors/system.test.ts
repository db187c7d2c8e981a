import { expect, test } from '@jest/globals';

import { SystemCollector } from '../../../../collector/src/collectors/system.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../support/collector/text-kernel.ts';

const DMI = 'sys/class/dmi/id';
const TREE = 'sys/firmware/devicetree/base/model';

async function collect(kernel: TextKernel, machine?: string) {
  return indexByIdentity(await new SystemCollector(kernel, machine).collect({ monotonicMs: 0 }));
}

/** Files, link of /etc/localtime, and what is read of them. */
const DEVICES: [device: string, files: Record<string, string>, localtime: string | undefined, texts: string[]][] = [
  [
    'Raspberry Pi 3',
    {
      [TREE]: 'Raspberry Pi 3 Model B Plus Rev 1.3\0',
      'host/etc/os-release': 'PRETTY_NAME="Raspbian GNU/Linux 11 (bullseye)"\nNAME="Raspbian GNU/Linux"\n',
      'host/etc/timezone': 'Europe/London\n',
    },
    '/usr/share/zoneinfo/Europe/London',
    ['Raspberry Pi 3 Model B Plus Rev 1.3', 'Raspbian GNU/Linux 11 (bullseye)', 'armv7l', 'Europe/London'],
  ],
  [
    'Raspberry Pi 4',
    {
      [TREE]: 'Raspberry Pi 4 Model B Rev 1.4\0',
      'proc/sys/kernel/arch': 'aarch64\n',
      'host/usr/lib/os-release': "NAME='Debian GNU/Linux'\nVERSION='12 (bookworm)'\n",
    },
    '../usr/share/zoneinfo/America/Argentina/Buenos_Aires',
    ['Raspberry Pi 4 Model B Rev 1.4', 'Debian GNU/Linux 12 (bookworm)', 'aarch64', 'America/Argentina/Buenos_Aires'],
  ],
  [
    'Raspberry Pi 5',
    {
      [TREE]: 'Raspberry Pi 5 Model B Rev 1.0\0',
      'proc/sys/kernel/arch': 'aarch64\n',
      'host/etc/os-release': 'NAME="A \\"B\\" \\$C"\n',
    },
    '/usr/share/zoneinfo/right/Etc/UTC',
    ['Raspberry Pi 5 Model B Rev 1.0', 'A "B" $C', 'aarch64', 'Etc/UTC'],
  ],
  [
    'Orange Pi',
    { [TREE]: 'Orange Pi 5\n', 'proc/sys/kernel/arch': 'aarch64\n', 'host/etc/os-release': 'PRETTY_NAME=Armbian' },
    undefined,
    ['Orange Pi 5', 'Armbian', 'aarch64'],
  ],
  [
    'OpenWrt',
    {
      [TREE]: 'GL.iNet GL-MT300N-V2\0',
      'proc/sys/kernel/arch': 'mips\n',
      'host/etc/os-release': 'NAME="OpenWrt"\nVERSION="23.05.3"\nPRETTY_NAME="OpenWrt 23.05.3"\n',
      'host/etc/TZ': 'CET-1CEST,M3.5.0,M10.5.0/3\n',
    },
    '/tmp/localtime',
    ['GL.iNet GL-MT300N-V2', 'OpenWrt 23.05.3', 'mips', 'CET-1CEST,M3.5.0,M10.5.0/3'],
  ],
];

test.each(DEVICES)('system collector: reads the texts of a %s', async (_, files, localtime, texts) => {
  const kernel = new TextKernel(files);
  if (localtime !== undefined) kernel.links.set('host/etc/localtime', localtime);
  const names = ['system.model', 'system.os_release', 'system.architecture', 'system.time_zone'];
  expect(await collect(kernel, 'armv7l')).toEqual(
    Object.fromEntries(texts.map((text, index) => [names[index] as string, text])),
  );
});

test.each([
  [{ sys_vendor: 'LENOVO', product_name: '20XW' }, 'LENOVO 20XW'],
  [{ sys_vendor: 'Intel', product_name: 'Intel NUC' }, 'Intel NUC'],
  [{ product_name: 'To Be Filled By O.E.M.', board_vendor: 'ASRock', board_name: 'J5040-ITX' }, 'ASRock J5040-ITX'],
  [{ sys_vendor: 'Default string', product_name: 'X1', board_name: 'B' }, 'X1'],
  [{ sys_vendor: '', product_name: ' \n', board_name: 'B' }, 'B'],
  [{ product_name: 'Standard\\xff' }, 'Standard\\xff'],
])('system collector: reads the model %j of DMI', async (fields, model) => {
  const files = Object.entries(fields).map(([name, text]) => [`${DMI}/${name}`, `${text}\n`]);
  expect(await collect(new TextKernel(Object.fromEntries(files) as Record<string, string>))).toEqual({
    'system.model': model,
  });
});

test.each([
  [TREE, 'a\0b\0', `/${TREE}`],
  [TREE, '\0', `/${TREE}`],
  [TREE, 'x'.repeat(201), `/${TREE}`],
  ['host/etc/os-release', 'PRETTY_NAME="Debian\n', '/etc/os-release'],
  ['host/etc/os-release', 'ID=debian\n', '/etc/os-release'],
  ['host/etc/timezone', 'a\nb\n', '/etc/timezone'],
  ['proc/sys/kernel/arch', 'a b\n', '/proc/sys/kernel/arch'],
])('system collector: %s with %j fails by its name, and the others are read', async (file, text, named) => {
  const good = { [TREE]: 'Board\0', 'host/etc/os-release': 'NAME=Linux\n', 'host/etc/timezone': 'UTC\n' };
  const error = await collect(new TextKernel({ ...good, 'proc/sys/kernel/arch': 'riscv64\n', [file]: text })).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED', message: expect.stringContaining(named) });
  expect(extractReadings(error)).toHaveLength(3);
});

test('system collector: a line of os-release that nobody reads is not judged', async () => {
  expect(await collect(new TextKernel({ 'host/etc/os-release': 'HOME_URL="x\n\nNAME=Linux\n' }))).toEqual({
    'system.os_release': 'Linux',
  });
});

const SYNC = 'run/systemd/timesync';
const MINUTE = 60_000;
test.each([
  ['timesyncd that has set the clock', { [SYNC]: 5, [`${SYNC}/synchronized`]: 1 }, { 'system.clock_synchronized': 1 }],
  ['timesyncd that has not yet', { [SYNC]: 5, 'var/lib/chrony/drift': 1 }, { 'system.clock_synchronized': 0 }],
  ['chrony that wrote in this boot', { 'var/lib/chrony/drift': 50 * MINUTE }, { 'system.clock_synchronized': 1 }],
  [
    'chrony that wrote before boot',
    { 'var/lib/chrony/chrony.drift': 101 * MINUTE },
    { 'system.clock_synchronized': 0 },
  ],
  ['no time service', {}, {}],
])('system collector: with %s', async (_, ages: Record<string, number>, expected) => {
  const kernel = new TextKernel({ 'proc/uptime': '6000.00 1.00\n', 'host/etc/TZ': 'UTC0\n' });
  for (const [file, age] of Object.entries(ages)) kernel.ages.set(`host/${file}`, age);
  expect(await collect(kernel)).toEqual({ 'system.time_zone': 'UTC0', ...expected });
});

test('system collector: a drift that is hours old, or in a folder that is closed, says nothing good', async () => {
  const kernel = new TextKernel({ 'proc/uptime': '600000.00 1.00\n', 'host/etc/TZ': 'UTC0\n' });
  kernel.ages.set('host/var/lib/chrony/drift', 181 * MINUTE);
  expect(await collect(kernel)).toMatchObject({ 'system.clock_synchronized': 0 });
  kernel.errors.set('host/var/lib/chrony/drift', createKernelError('/var/lib/chrony/drift', 'EACCES'));
  expect(await collect(kernel)).toEqual({ 'system.time_zone': 'UTC0' });
});
