import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { LinkCollector } from '../../../../collector/src/collectors/link.ts';
import type { InterfaceRules } from '../../../../collector/src/collectors/readers/interface-limit.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { KernelFiles } from '../../../../collector/src/kernel/kernel-files.ts';
import { DEFAULT_OPTIONS } from '../../../support/collector/default-options.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../support/collector/text-kernel.ts';

const DEFAULTS: InterfaceRules = { include: [], exclude: DEFAULT_OPTIONS.networkExclude, maxInterfaces: 32 };
const HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';

/** The files of an interface, without their newlines. */
function files(name: string, attributes: Readonly<Record<string, string>>, deviceType?: string) {
  const all = {
    uevent: `${deviceType === undefined ? '' : `DEVTYPE=${deviceType}\n`}INTERFACE=${name}\nIFINDEX=2`,
    type: '1',
    ...attributes,
  };
  return Object.fromEntries(Object.entries(all).map(([file, text]) => [`sys/class/net/${name}/${file}`, `${text}\n`]));
}

const wired = { operstate: 'up', carrier: '1', carrier_changes: '2', speed: '1000', duplex: 'full' };

function device(parts: Readonly<Record<string, string>>, drivers: Readonly<Record<string, string>> = {}): TextKernel {
  const kernel = new TextKernel({ 'proc/net/route': HEADER, ...parts });
  for (const [name, driver] of Object.entries(drivers))
    kernel.links.set(`class/net/${name}/device/driver`, `bus/usb/drivers/${driver}`);
  return kernel;
}

const collectorOf = (kernel: TextKernel, options: Partial<InterfaceRules> = {}) =>
  new LinkCollector(kernel, { ...DEFAULTS, ...options });
const read = async (kernel: TextKernel) => indexByIdentity(await collectorOf(kernel).collect());
const failing = async (kernel: TextKernel) => {
  const error = await collectorOf(kernel)
    .collect()
    .catch((one: Error) => one);
  return { message: (error as Error).message, readings: indexByIdentity(extractReadings(error)) };
};

describe('boards', () => {
  test('link collector: a Raspberry Pi 3 has its wired interface on USB, and Wi-Fi that is not connected', async () => {
    const kernel = device(
      {
        ...files('eth0', { ...wired, speed: '100' }),
        ...files('wlan0', { operstate: 'dormant', carrier: '0', carrier_changes: '5' }, 'wlan'),
        'proc/net/wireless': wireless(' wlan0: 0000    0     0     0        0      0      0      0      0        0'),
      },
      { eth0: 'lan78xx', wlan0: 'brcmfmac' },
    );
    expect(await read(kernel)).toEqual({
      'network.up{interface=eth0}': 1,
      'network.info{interface=eth0,kind=ethernet,driver=lan78xx}': 1,
      'network.carrier_changes_total{interface=eth0}': 2,
      'network.speed_bytes_per_second{interface=eth0}': 12_500_000,
      'network.full_duplex{interface=eth0}': 1,
      'network.up{interface=wlan0}': 0,
      'network.info{interface=wlan0,kind=wlan,driver=brcmfmac}': 1,
      'network.carrier_changes_total{interface=wlan0}': 5,
      'network.default_route{interface=eth0}': 0,
      'network.default_route{interface=wlan0}': 0,
    });
  });

  test('link collector: an OpenWrt router has ports of a switch, a bridge and PPPoE', async () => {
    const route = 'pppoe-wan\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0   \n';
    const kernel = device({
      'proc/net/route': HEADER + route,
      ...files('lan1', { ...wired, speed: '10', duplex: 'half' }, 'dsa'),
      ...files('lan2', { ...wired, operstate: 'lowerlayerdown', carrier: '0', speed: '-1', duplex: 'unknown' }, 'dsa'),
      ...files('br-lan', wired, 'bridge'),
      ...files('pppoe-wan', { type: '512', operstate: 'unknown', carrier: '1', carrier_changes: '0' }),
    });
    expect(await read(kernel)).toEqual({
      'network.up{interface=lan1}': 1,
      'network.info{interface=lan1,kind=dsa}': 1,
      'network.carrier_changes_total{interface=lan1}': 2,
      'network.speed_bytes_per_second{interface=lan1}': 1_250_000,
      'network.full_duplex{interface=lan1}': 0,
      'network.up{interface=lan2}': 0,
      'network.info{interface=lan2,kind=dsa}': 1,
      'network.carrier_changes_total{interface=lan2}': 2,
      'network.up{interface=pppoe-wan}': 1,
      'network.info{interface=pppoe-wan,kind=ppp}': 1,
      'network.carrier_changes_total{interface=pppoe-wan}': 0,
      'network.default_route{interface=lan1}': 0,
      'network.default_route{interface=lan2}': 0,
      'network.default_route{interface=pppoe-wan}': 1,
    });
  });

  test('link collector: an Orange Pi with a kernel of 3.4 has no count of changes, and no kinds', async () => {
    const { speed, duplex, operstate } = wired;
    const readings = await read(device(files('eth0', { operstate, speed, duplex })));
    expect(Object.keys(readings).sort()).toEqual([
      'network.default_route{interface=eth0}',
      'network.full_duplex{interface=eth0}',
      'network.info{interface=eth0,kind=ethernet}',
      'network.speed_bytes_per_second{interface=eth0}',
      'network.up{interface=eth0}',
    ]);
  });
});

describe('network.up', () => {
  test.each([
    ['up', '0', 1],
    ['unknown', '1', 1],
    ['unknown', '0', 0],
    ['dormant', '1', 0],
    ['lowerlayerdown', '0', 0],
    ['down', '1', 0],
    ['notpresent', '0', 0],
    ['testing', '1', 0],
  ])('of the state %s with carrier %s is %d', async (operstate, carrier, expected) => {
    const readings = await read(device(files('eth0', { ...wired, operstate, carrier })));
    expect(readings['network.up{interface=eth0}']).toBe(expected);
  });

  test('is 0 while the kernel refuses to tell the carrier of an interface that is down', async () => {
    const kernel = device(files('tun0', { type: '65534', operstate: 'unknown', carrier: '', carrier_changes: '0' }));
    kernel.errors.set('sys/class/net/tun0/carrier', createKernelError('sys/class/net/tun0/carrier', 'EINVAL'));
    expect((await read(kernel))['network.up{interface=tun0}']).toBe(0);
  });

  test('is left out, by the name of the file, for a state that no kernel has', async () => {
    const { message, readings } = await failing(
      device({ ...files('eth0', { ...wired, operstate: 'UP' }), ...files('eth1', wired) }),
    );
    expect(message).toBe('cannot parse /sys/class/net/eth0/operstate: line 1: "UP" is not an operational state');
    expect(Object.keys(readings).filter((name) => name.startsWith('network.up'))).toEqual([
      'network.up{interface=eth1}',
    ]);
  });
});

describe('speed and duplex', () => {
  test.each(['-1', '0', '65535', '4294967295'])('are not known while the speed is %s', async (speed) => {
    const readings = await read(device(files('eth0', { ...wired, speed, duplex: 'unknown' })));
    expect(Object.keys(readings).filter((name) => /speed|duplex/.test(name))).toEqual([]);
  });

  test('of hardware are read again after the carrier has changed, and not before', async () => {
    const kernel = device(files('eth0', wired), { eth0: 'r8152' });
    const collector = collectorOf(kernel);
    const speedOf = async () =>
      indexByIdentity(await collector.collect())['network.speed_bytes_per_second{interface=eth0}'];
    await speedOf();
    kernel.files.set('sys/class/net/eth0/speed', '100\n');
    expect(await speedOf()).toBe(125_000_000);
    kernel.files.set('sys/class/net/eth0/carrier_changes', '4\n');
    expect(await speedOf()).toBe(12_500_000);
  });

  test('of a bond, which has no hardware of its own, are read each time', async () => {
    const kernel = device(files('bond0', { ...wired, speed: '2000' }, 'bond'));
    const collector = collectorOf(kernel);
    await collector.collect();
    kernel.files.set('sys/class/net/bond0/speed', '1000\n');
    const readings = indexByIdentity(await collector.collect());
    expect(readings['network.speed_bytes_per_second{interface=bond0}']).toBe(125_000_000);
  });

  test('of an interface that goes down while it is read are left out', async () => {
    const kernel = device(files('eth0', wired), { eth0: 'r8152' });
    for (const file of ['speed', 'duplex'])
      kernel.errors.set(`sys/class/net/eth0/${file}`, createKernelError(file, 'EINVAL'));
    expect((await read(kernel))['network.up{interface=eth0}']).toBe(1);
  });
});

const wireless = (...lines: string[]) =>
  [
    'Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE',
    ' face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22',
    ...lines,
    '',
  ].join('\n');

describe('Wi-Fi', () => {
  const rest = '0      0      0      0      0        0';
  const valuesOf = async (line: string) => {
    const readings = await read(device({ ...files('wlan0', wired, 'wlan'), 'proc/net/wireless': wireless(line) }));
    return ['quality', 'signal_dbm', 'noise_dbm'].map((name) => readings[`network.wireless_${name}{interface=wlan0}`]);
  };

  test.each([
    ['with noise', ` wlan0: 0000   54.  -56.  -95.     ${rest}`, [54, -56, -95]],
    ['without noise', ` wlan0: 0000   54.  -56.  -256     ${rest}`, [54, -56, undefined]],
    ['read by another program just before', ` wlan0: 0000   54   -56   -256     ${rest}`, [54, -56, undefined]],
    ['on a scale of the driver', ` wlan0: 0000   80.   62.    0.     ${rest}`, [80, undefined, undefined]],
    ['without connection', ` wlan0: 0000    0     0     0     ${rest}`, [undefined, undefined, undefined]],
  ])('%s', async (_, line, expected) => {
    expect(await valuesOf(line)).toEqual(expected);
  });

  test('a malformed line costs its interface, and the collector fails by its name', async () => {
    const lines = [` wlan0: 0000   x.  -56.  -95.     ${rest}`, ` wlan1: 0000   54.  -56.  -95.     ${rest}`];
    const { message, readings } = await failing(
      device({
        ...files('wlan0', wired, 'wlan'),
        ...files('wlan1', wired, 'wlan'),
        'proc/net/wireless': wireless(...lines),
      }),
    );
    expect(message).toBe('cannot parse /proc/net/wireless: line 3: "x." is not a level');
    expect(readings['network.wireless_signal_dbm{interface=wlan1}']).toBe(-56);
  });
});

describe('network.default_route', () => {
  const ipv4 = (name: string, metric: number, flags = '0003') =>
    `${name}\t00000000\t0101A8C0\t${flags}\t0\t0\t${metric}\t00000000\t0\t0\t0   \n`;
  const zeros = '0'.repeat(32);
  const ipv6 = (name: string, metric: string, flags = '00000003') =>
    `${zeros} 00 ${zeros} 00 ${zeros} ${metric} 00000001 00000000 ${flags} ${name.padStart(8)}\n`;
  const usedOf = async (routes: string, routes6?: string) => {
    const readings = await read(
      device({
        ...files('eth0', wired),
        ...files('wwan0', wired),
        'proc/net/route': HEADER + routes,
        ...(routes6 === undefined ? {} : { 'proc/net/ipv6_route': routes6 }),
      }),
    );
    return ['eth0', 'wwan0'].filter((name) => readings[`network.default_route{interface=${name}}`] === 1);
  };

  test.each([
    ['of the lowest metric', ipv4('wwan0', 700) + ipv4('eth0', 100), undefined, ['eth0']],
    ['that is left after the other one was removed', ipv4('wwan0', 700), undefined, ['wwan0']],
    ['that does not refuse packets', ipv4('eth0', 0, '0201') + ipv4('wwan0', 700), undefined, ['wwan0']],
    ['of each protocol', ipv4('eth0', 100), ipv6('wwan0', '00000400'), ['eth0', 'wwan0']],
    ['of IPv6, but not the one that refuses packets', '', ipv6('eth0', 'ffffffff', '00200200'), []],
    ['of IPv6 over two interfaces', '', ipv6('eth0', '00000400') + ipv6('wwan0', '00000400'), ['eth0', 'wwan0']],
    ['of no route', 'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n', '', []],
  ])('names the interface %s', async (_, routes, routes6, expected) => {
    expect(await usedOf(routes, routes6)).toEqual(expected);
  });

  test('is left out if a table is malformed, which costs nothing else', async () => {
    const { message, readings } = await failing(
      device({ ...files('eth0', wired), 'proc/net/route': `${HEADER}eth0\t0000000g\t0\t1\t0\t0\t0\t0\t0\t0\t0\n` }),
    );
    expect(message).toBe('cannot parse /proc/net/route: line 2: "0000000g" is not a hexadecimal number');
    expect(Object.keys(readings)).toHaveLength(5);
  });
});

describe('interfaces', () => {
  test('that come and go are reported while they are there, and nothing of them is kept', async () => {
    const kernel = device(files('eth0', wired));
    const collector = collectorOf(kernel, { exclude: [] });
    for (let second = 0; second < 100; second++) {
      for (const path of kernel.files.keys()) if (path.includes('/ppp')) kernel.files.delete(path);
      for (const [path, text] of Object.entries(
        files(`ppp${second}`, { type: '512', operstate: 'unknown', carrier: '1' }),
      ))
        kernel.files.set(path, text);
      const readings = indexByIdentity(await collector.collect());
      expect(Object.keys(readings).filter((name) => name.startsWith('network.up'))).toEqual([
        'network.up{interface=eth0}',
        `network.up{interface=ppp${second}}`,
      ]);
    }
  });

  test('that go while they are read are left out without an error', async () => {
    const kernel = device(files('eth0', wired));
    for (const path of Object.keys(files('eth0', wired))) kernel.errors.set(path, createKernelError(path, 'ENODEV'));
    expect(await read(kernel)).toEqual({ 'network.default_route{interface=eth0}': 0 });
  });

  test('of another kind on the same name are told by what the directory leads to', async () => {
    const kernel = device(files('usb0', wired), { usb0: 'cdc_ether' });
    kernel.links.set('class/net/usb0', 'devices/platform/usb1/1-1/net/usb0');
    const collector = collectorOf(kernel);
    await collector.collect();
    kernel.links.set('class/net/usb0', 'devices/platform/usb1/1-2/net/usb0');
    kernel.links.set('class/net/usb0/device/driver', 'bus/usb/drivers/rndis_host');
    const readings = indexByIdentity(await collector.collect());
    expect(readings['network.info{interface=usb0,kind=ethernet,driver=rndis_host}']).toBe(1);
  });

  test('beyond the limit are left out, and bonding_masters takes no place', async () => {
    const kernel = device({
      'sys/class/net/bonding_masters': 'bond0\n',
      ...files('eth0', wired),
      ...files('eth1', wired),
    });
    const readings = indexByIdentity(await collectorOf(kernel, { maxInterfaces: 1 }).collect());
    expect(Object.keys(readings).filter((name) => name.startsWith('network.up'))).toEqual([
      'network.up{interface=eth0}',
    ]);
  });

  const folder = mkdtempSync(join(tmpdir(), 'link-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('whose name is not UTF-8 are left out and named once', async () => {
    for (const name of ['net/eth0', 'net/bad\xff']) {
      const path = Buffer.from(join(folder, 'sys/class', name), 'latin1');
      mkdirSync(path, { recursive: true });
      writeFileSync(Buffer.concat([path, Buffer.from('/operstate')]), 'up\n');
    }
    mkdirSync(join(folder, 'proc/net'), { recursive: true });
    writeFileSync(join(folder, 'proc/net/route'), HEADER);
    const kernel = new KernelFiles({ procRoot: join(folder, 'proc'), sysRoot: join(folder, 'sys') });
    const collector = new LinkCollector(kernel, DEFAULTS);
    const readings = indexByIdentity(await collector.collect());
    expect(Object.keys(readings)).toEqual(['network.up{interface=eth0}', 'network.default_route{interface=eth0}']);
    expect(collector.leftOut).toEqual([
      { event: 'value left out', count: 0, reason: '1 interfaces whose name is not UTF-8' },
    ]);
  });
});
