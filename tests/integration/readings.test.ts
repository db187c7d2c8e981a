import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, test } from '@jest/globals';

import { COLLECTORS } from '../../collector/src/collectors/table.ts';
import { KernelFiles } from '../../collector/src/kernel/kernel-files.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import type { KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

/** The collectors on this machine's own kernel, each figure against a reading that shares no code with them. */

const everything = {
  networkInclude: [],
  networkExclude: [],
  networkMaxInterfaces: 1_000,
  diskInclude: [],
  diskExclude: [],
  diskSectorBytes: 512,
  filesystemInclude: [],
  filesystemExclude: [],
  services: ['encoder.service'],
  processes: ['encoder'],
} as const;

function collectorOf(name: KernelCollectorName) {
  const kernel = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' });
  return COLLECTORS[name].create({ kernel, options: everything });
}

function valueOf(readings: readonly Reading[], name: string, labels: Record<string, string> = {}): number {
  const found = readings.filter(
    (reading) =>
      reading.series.name === name && Object.entries(labels).every(([label, value]) => reading.labels[label] === value),
  );
  expect(found).toHaveLength(1);
  return found[0]!.value as number;
}

/** Busy and total jiffies of all cores: the first line, by awk's way of thinking. */
function jiffies(): { busy: number; total: number } {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = fields.reduce((sum, field) => sum + field, 0);
  return { busy: total - fields[3]! - fields[4]!, total };
}

/** Counters of every line with this many leading words, by name. */
function kernelCounters(file: string, nameColumn: number, split: RegExp): Map<string, number[]> {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /\d{1,}\s+\d/.test(line));
  return new Map(
    lines.map((line) => {
      const words = line.trim().split(split);
      return [words[nameColumn]!, words.slice(nameColumn + 1).map(Number)] as const;
    }),
  );
}

test('cpu.usage_percent agrees with an independent reading of /proc/stat over the same interval (A-22)', async () => {
  const collector = collectorOf('cpu');
  const before = jiffies();
  await collector.collect({ monotonicMs: 0 });
  await delay(3_000);
  const readings = await collector.collect({ monotonicMs: 3_000 });
  const after = jiffies();
  const usage = (100 * (after.busy - before.busy)) / (after.total - before.total);
  expect(Math.abs(valueOf(readings, 'cpu.usage_percent', { core: 'all' }) - usage)).toBeLessThanOrEqual(1);
});

test('the memory figures agree with free -b taken at the same moment within 1 % (A-26)', async () => {
  const collector = collectorOf('memory');
  const before = await collector.collect({ monotonicMs: 0 });
  const free = execFileSync('free', ['-b'], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  const after = await collector.collect({ monotonicMs: 0 });
  const columns = (row: string): number[] =>
    new RegExp(`^${row}:\\s+(.*)$`, 'm').exec(free)![1]!.split(/\s+/).map(Number);
  const [total = 0, ...memory] = columns('Mem');
  const available = memory.at(-1)!;
  const expected = {
    'memory.available_bytes': available,
    'memory.used_bytes': total - available,
    'memory.swap_used_bytes': columns('Swap')[1]!,
  };
  for (const [name, value] of Object.entries(expected)) {
    // Other programs take and give memory meanwhile: the two readings around it tell how much.
    const bounds = [valueOf(before, name), valueOf(after, name)];
    expect(value).toBeGreaterThanOrEqual(0.99 * Math.min(...bounds));
    expect(value).toBeLessThanOrEqual(1.01 * Math.max(...bounds));
  }
});

test('resources: files, entropy, packets and segments agree with /proc as awk reads it before and after', async () => {
  const awk = (script: string, file: string) =>
    Number(execFileSync('awk', [script, file], { encoding: 'utf8' }).trim());
  const read = (): Readonly<Record<string, number>> => ({
    'memory.oom_kills_total': awk('/^oom_kill / { print $2 }', '/proc/vmstat'),
    'network.tcp_segments_sent_total': awk('/^Tcp:/ { n = $12 } END { print n }', '/proc/net/snmp'),
    'network.tcp_segments_retransmitted_total': awk('/^Tcp:/ { n = $13 } END { print n }', '/proc/net/snmp'),
  });
  const before = read();
  const readings = await collectorOf('resources').collect({ monotonicMs: 0 });
  const after = read();
  for (const name of Object.keys(before)) {
    expect(valueOf(readings, name)).toBeGreaterThanOrEqual(before[name]!);
    expect(valueOf(readings, name)).toBeLessThanOrEqual(after[name]!);
  }
  expect(valueOf(readings, 'kernel.entropy_bits')).toBeLessThanOrEqual(4096);
  expect(valueOf(readings, 'kernel.files_open')).toBeGreaterThan(0);
});

test('system: the texts agree with uname, and with /etc as a shell and readlink read it', async () => {
  const kernel = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys', hostRoot: '/' });
  const readings = await COLLECTORS.system
    .create({ kernel, options: everything, machine: 'not asked for' })
    .collect({ monotonicMs: 0 });
  const texts = Object.fromEntries(readings.map(({ series, value }) => [series.name, value]));
  const run = (script: string) => execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim();
  const kernelHasArch = run('test -e /proc/sys/kernel/arch && echo yes || echo no') === 'yes';
  expect(texts['system.architecture']).toBe(kernelHasArch ? run('uname -m') : 'not asked for');
  expect(texts['system.os_release']).toBe(run('. /etc/os-release; echo "$PRETTY_NAME"'));
  const zone = run('readlink /etc/localtime || cat /etc/timezone || true').replace(/^.*\/zoneinfo\//, '');
  if (zone !== '') expect(texts['system.time_zone']).toBe(zone);
});

describe('counters equal the kernel’s', () => {
  /** Columns after the name, as Documentation/admin-guide/iostats.rst and net/core/net-procfs.c order them. */
  const cases: {
    readonly collector: KernelCollectorName;
    readonly label: string;
    readonly counters: () => Map<string, number[]>;
    readonly columns: Readonly<Record<string, readonly [column: number, factor: number]>>;
  }[] = [
    {
      collector: 'disk',
      label: 'device',
      counters: () => kernelCounters('/proc/diskstats', 2, /\s+/),
      columns: {
        'disk.read_ops_total': [0, 1],
        'disk.read_bytes_total': [2, 512],
        'disk.write_ops_total': [4, 1],
        'disk.write_bytes_total': [6, 512],
      },
    },
    {
      collector: 'network',
      label: 'interface',
      counters: () => kernelCounters('/proc/net/dev', 0, /[:\s]+/),
      columns: {
        'network.rx_bytes_total': [0, 1],
        'network.rx_packets_total': [1, 1],
        'network.rx_errors_total': [2, 1],
        'network.rx_dropped_total': [3, 1],
        'network.tx_bytes_total': [8, 1],
        'network.tx_packets_total': [9, 1],
        'network.tx_errors_total': [10, 1],
        'network.tx_dropped_total': [11, 1],
      },
    },
  ];

  test.each(cases)('of the collector $collector (A-28)', async ({ collector, label, counters, columns }) => {
    const before = counters();
    const readings = await collectorOf(collector).collect({ monotonicMs: 0 });
    const after = counters();
    const devices = new Set(readings.flatMap(({ labels }) => labels[label] ?? []));
    expect(devices.size).toBeGreaterThan(0);
    for (const device of devices) {
      for (const [name, [column, factor]] of Object.entries(columns)) {
        const value = valueOf(readings, name, { [label]: device });
        // Counters only grow, and the reading lies between the two.
        expect(value).toBeGreaterThanOrEqual(before.get(device)![column]! * factor);
        expect(value).toBeLessThanOrEqual(after.get(device)![column]! * factor);
      }
    }
  });
});

describe('links', () => {
  /** A namespace with a pair whose other end goes down and up three times, a bridge and a tunnel without a program. */
  const script = [
    'set -e',
    'ip link add pair0 type veth peer name pair1',
    'ip link add br7 type bridge',
    'ip tuntap add tun7 mode tun',
    'ip link set lo up',
    'ip link set tun7 up',
    'ip link set pair0 up',
    'ip link set pair1 up',
    'ip address add 192.0.2.1/24 dev pair0',
    'ip route add default via 192.0.2.2',
    'mount -t sysfs sysfs /sys',
    'once() { "$1" "$2" once; }',
    'once "$@" > "$3/before"',
    'for turn in 1 2 3; do ip link set pair1 down; ip link set pair1 up; done',
    'ip -j link > "$3/links"',
    'ip -j route show default > "$3/routes"',
    'once "$@" > "$3/after"',
  ].join('\n');
  const folder = mkdtempSync(join(tmpdir(), 'links-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Values of a series by interface. */
  function valuesIn(file: string, name: string): Record<string, number> {
    const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n');
    const samples = lines.map((line) => JSON.parse(line) as { metric: Record<string, string>; values: number[] });
    return Object.fromEntries(
      samples
        .filter(({ metric }) => metric['__name__'] === name)
        .map(({ metric, values }) => [metric['interface'] ?? '', values[0] ?? NaN]),
    );
  }

  test('link collector: state, default route and changes agree with ip -j link', () => {
    const main = fileURLToPath(new URL('../../collector/dist/main.js', import.meta.url));
    execFileSync('unshare', ['-Urnm', 'sh', '-c', script, 'sh', process.execPath, main, folder], {
      env: { ...process.env, THUGSHELLS_COLLECTORS: 'link', THUGSHELLS_NETWORK_EXCLUDE: 'none' },
    });
    const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, string>[];
    const links = read('links') as unknown as { ifname: string; operstate: string; flags: string[] }[];
    const isUp = ({ operstate, flags }: (typeof links)[number]) =>
      operstate === 'UP' || (operstate === 'UNKNOWN' && flags.includes('LOWER_UP'));
    expect(links.map(({ ifname }) => ifname)).toEqual(expect.arrayContaining(['br7', 'lo', 'pair0', 'pair1', 'tun7']));
    expect(valuesIn('after', 'network_up')).toEqual(
      Object.fromEntries(links.map((link) => [link.ifname, isUp(link) ? 1 : 0])),
    );
    const [before, after] = ['before', 'after'].map((file) => valuesIn(file, 'network_carrier_changes_total'));
    expect([after!['pair0']! - before!['pair0']!, after!['lo']! - before!['lo']!]).toEqual([6, 0]);
    const used = Object.entries(valuesIn('after', 'network_default_route')).filter(([, value]) => value === 1);
    expect(used.map(([name]) => name)).toEqual(read('routes').map(({ dev }) => dev));
  });
});
