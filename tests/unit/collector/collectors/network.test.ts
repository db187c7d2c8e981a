import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { NetworkCollector, parseNetDev } from '../../../../collector/src/collectors/network.ts';
import type { InterfaceRules } from '../../../../collector/src/collectors/readers/interface-limit.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { KernelFiles } from '../../../../collector/src/kernel/kernel-files.ts';
import { indexByIdentity, readRecorded, scrapeTexts, TextKernel } from '../../../support/collector/text-kernel.ts';

const DEFAULTS: InterfaceRules = {
  include: [],
  exclude: 'lo docker.* veth.* br-.* virbr.* wlan.*mon'.split(' '),
  maxInterfaces: 32,
};
const HEADER = [
  'Inter-|   Receive                                                |  Transmit',
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
  '',
].join('\n');
const COLUMNS = '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16';

const netDev = (...names: string[]) => HEADER + names.map((name) => `${name.padStart(6)}: ${COLUMNS}\n`).join('');

function scrapesOf(options: Partial<InterfaceRules>, ...texts: string[]) {
  const kernel = new TextKernel();
  return scrapeTexts(new NetworkCollector(kernel, { ...DEFAULTS, ...options }), kernel, 'proc/net/dev', texts);
}

const interfacesIn = (readings: object) =>
  Object.keys(readings).flatMap((name) => /rx_bytes_total\{interface=([^}]*)/.exec(name)?.[1] ?? []);

test('an interface has the eight counters of its columns, from the first scrape on', async () => {
  expect(await scrapesOf({}, netDev('eth0'))).toEqual({
    'network.rx_bytes_total{interface=eth0}': 1,
    'network.rx_packets_total{interface=eth0}': 2,
    'network.rx_errors_total{interface=eth0}': 3,
    'network.rx_dropped_total{interface=eth0}': 4,
    'network.tx_bytes_total{interface=eth0}': 9,
    'network.tx_packets_total{interface=eth0}': 10,
    'network.tx_errors_total{interface=eth0}': 11,
    'network.tx_dropped_total{interface=eth0}': 12,
    'network.interfaces_dropped_total': 0,
  });
});

test('network collector: returns a counter that decreased unchanged', async () => {
  const readings = await scrapesOf({}, `${HEADER}eth0: 99${COLUMNS.slice(1)}\n`, netDev('eth0'));
  expect(readings['network.rx_bytes_total{interface=eth0}']).toBe(1);
});

describe('names', () => {
  test.each([
    ['eth0:4294967295 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', 'eth0', 4_294_967_295],
    ['eth0:1:      12 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', 'eth0:1', 12],
    ['eth0:123:12345678 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', 'eth0:123', 12_345_678],
    ['wlp2s0.100@if3: 12 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16', 'wlp2s0.100@if3', 12],
  ])('end at the last colon of "%s"', (line, name, received) => {
    const { interfaces } = parseNetDev(`${HEADER}${line}\n`);
    expect([...interfaces.keys()]).toEqual([name]);
    expect(interfaces.get(name)?.[0]).toBe(received);
  });
});

describe('network collector: names that are not UTF-8', () => {
  const folder = mkdtempSync(join(tmpdir(), 'network-names-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('are reported with these bytes as \\x and two digits, each for itself', async () => {
    mkdirSync(join(folder, 'proc/net'), { recursive: true });
    const lines = ['eth0', '\xff\xfe', '\xfe\xff', 'caf\xe9'].map((name) => `${name.padStart(6)}: ${COLUMNS}\n`);
    writeFileSync(join(folder, 'proc/net/dev'), Buffer.from(HEADER + lines.join(''), 'latin1'));
    const kernel = new KernelFiles({ procRoot: join(folder, 'proc'), sysRoot: join(folder, 'sys') });
    const readings = indexByIdentity(await new NetworkCollector(kernel, DEFAULTS).collect());
    expect(interfacesIn(readings)).toEqual(['eth0', '\\xff\\xfe', '\\xfe\\xff', 'caf\\xe9']);
  });
});

describe('network collector: a malformed line costs itself', () => {
  const later = (text: string) => text.replace(`  eth1: ${COLUMNS}`, '  eth1: 1 x 3');

  test.each([
    ['of no number', later(netDev('eth0', 'eth1', 'eth2')), ['eth0', 'eth2'], 'line 4: 3 numbers'],
    ['that is there twice', netDev('eth0', 'eth1', 'eth0'), ['eth0', 'eth1'], 'line 5: a second line of "eth0"'],
    ['that is cut short', netDev('eth0', 'eth1').replace(/ 16\n/, '\n'), ['eth1'], 'line 3: 15 numbers'],
    [
      'of an older kernel',
      netDev('eth0', 'eth1').replace(/$/, `eth2: ${COLUMNS} 17\n`),
      ['eth2'],
      'line 3: 16 numbers',
    ],
    ['that is truncated', netDev('eth0', 'eth1').slice(0, -3), ['eth0'], 'line 4: truncated'],
  ])('%s', async (_, text, interfaces, named) => {
    const error = await scrapesOf({}, text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: expect.stringContaining(`cannot parse /proc/net/dev: ${named}`),
    });
    expect(interfacesIn(indexByIdentity(extractReadings(error)))).toEqual(interfaces);
  });

  test('keeps two names that differ in a character that looks like a blank', async () => {
    expect(interfacesIn(await scrapesOf({}, netDev('a\u2003', 'a')))).toEqual(['a\u2003', 'a']);
  });
});

describe('the filter', () => {
  test('leaves out loopback, containers, bridges and monitors by default (A-31)', async () => {
    const out = ['lo', 'docker0', 'veth12ab', 'br-5f3e', 'virbr0', 'virbr0-nic', 'wlan0mon', 'wlan1mon'];
    const kept = [
      'eth0',
      'end1',
      'wlan0',
      'wlo1',
      'br0',
      'wwan0',
      'usb0',
      'ppp0',
      'can0',
      'mon0',
      'xveth0',
      'wlan0mon2',
    ];
    expect(interfacesIn(await scrapesOf({}, netDev(...out, ...kept)))).toEqual(kept);
  });

  test('reports only what is included, and of that nothing that is excluded (A-32)', async () => {
    const options = { include: ['eth.*', 'lo'], exclude: ['eth9|lo'] };
    expect(interfacesIn(await scrapesOf(options, netDev('lo', 'eth0', 'eth9', 'wlan0')))).toEqual(['eth0']);
  });
});

describe('network collector, limit of interfaces', () => {
  test('leaves out what is too much and counts it once, not at every scrape', async () => {
    const text = netDev('eth10', 'eth9', 'eth2', 'wlan0');
    const first = await scrapesOf({ maxInterfaces: 2 }, text);
    expect(interfacesIn(first)).toEqual(['eth9', 'eth2']);
    expect(first['network.interfaces_dropped_total']).toBe(2);
    expect(await scrapesOf({ maxInterfaces: 2 }, text, text, text)).toEqual(first);
  });

  test('has one sentence for what was too much first, whatever comes and goes later', async () => {
    const kernel = new TextKernel();
    const collector = new NetworkCollector(kernel, { ...DEFAULTS, maxInterfaces: 1 });
    await scrapeTexts(collector, kernel, 'proc/net/dev', [netDev('eth0')]);
    expect(collector.notice).toBeUndefined();
    await scrapeTexts(collector, kernel, 'proc/net/dev', [netDev('eth0', 'eth1', 'eth2'), netDev('eth0', 'eth3')]);
    expect(collector.notice).toMatch(/^eth1 and 1 more not reported: limit of NETWORK_MAX_INTERFACES=1 reached/);
  });

  test('reports an interface that was renamed under its new name, and no more under the old one', async () => {
    expect(interfacesIn(await scrapesOf({ maxInterfaces: 1 }, netDev('eth0'), netDev('enp3s0')))).toEqual(['enp3s0']);
    expect(interfacesIn(await scrapesOf({}, netDev('eth0', 'wlan0'), netDev('wlan0', 'wan')))).toEqual([
      'wlan0',
      'wan',
    ]);
  });

  test('does not count what the filter leaves out', async () => {
    const readings = await scrapesOf({ maxInterfaces: 1 }, netDev('lo', 'eth0', 'veth1'));
    expect(readings['network.interfaces_dropped_total']).toBe(0);
  });
});

test('the recorded device is read as psutil reads it', async () => {
  const readings = await scrapesOf({}, readRecorded('proc-later/net/dev'));
  expect(interfacesIn(readings)).toEqual(['ifb0', 'ifb1', 'eth0']);
  expect(readings).toMatchObject({
    'network.rx_bytes_total{interface=eth0}': 284_233_894,
    'network.tx_bytes_total{interface=eth0}': 1_037_563,
    'network.rx_packets_total{interface=eth0}': 10_033,
    'network.tx_packets_total{interface=eth0}': 7_428,
  });
});
