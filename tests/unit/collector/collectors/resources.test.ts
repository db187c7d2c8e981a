import { expect, test } from '@jest/globals';

import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { ResourcesCollector } from '../../../../collector/src/collectors/resources.ts';
import { indexByIdentity, TextKernel } from '../../../support/collector/text-kernel.ts';

const SOFTNET = `${['0000272d', '00000003', '00000002', ...Array.from({ length: 10 }, () => '00000000')].join(' ')}\n`;
const SNMP = 'Ip: Forwarding\nIp: 2\nTcp: MaxConn OutSegs RetransSegs\nTcp: -1 88012 140\nUdp: X\nUdp: y\n';
const GOOD = {
  'proc/vmstat': 'oom_kill_disable 9\noom_kill 2\n',
  'proc/sys/kernel/random/entropy_avail': '256\n',
  'proc/sys/fs/file-nr': '1344\t44\t391527\n',
  'proc/sys/net/netfilter/nf_conntrack_count': '41\n',
  'proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
  'proc/net/softnet_stat': SOFTNET + SOFTNET.replace('00000003', 'ffffffff'),
  'proc/net/snmp': SNMP,
};
const collect = async (files: Readonly<Record<string, string>>) =>
  indexByIdentity(await new ResourcesCollector(new TextKernel(files)).collect());

test('resources collector: reads each figure from its file', async () => {
  expect(await collect(GOOD)).toEqual({
    'memory.oom_kills_total': 2,
    'kernel.entropy_bits': 256,
    'kernel.files_open': 1300,
    'kernel.files_max': 391_527,
    'network.conntrack_entries': 41,
    'network.conntrack_entries_max': 65_536,
    'network.softnet_dropped_total': 3 + 0xffffffff,
    'network.softnet_squeezed_total': 4,
    'network.tcp_segments_sent_total': 88_012,
    'network.tcp_segments_retransmitted_total': 140,
  });
});

test('resources collector: a kernel without OOM counter, firewall and limit has no such series', async () => {
  expect(
    await collect({ 'proc/vmstat': 'nr_free_pages 1\n', 'proc/sys/fs/file-nr': '7\t0\t9223372036854775807\n' }),
  ).toEqual({ 'kernel.files_open': 7 });
  await expect(collect({})).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
});

test('resources collector: asks for no connections while the kernel tracks none', async () => {
  const kernel = new TextKernel({ 'proc/sys/fs/file-nr': GOOD['proc/sys/fs/file-nr'] });
  kernel.files.set('proc/sys/net/netfilter/nf_log/0', 'NONE\n'); // Of every kernel with netfilter.
  const asked: string[] = [];
  const read = kernel.proc.bind(kernel);
  kernel.proc = (path) => {
    asked.push(path);
    return read(path);
  };
  await new ResourcesCollector(kernel).collect();
  expect(asked.filter((path) => path.startsWith('sys/net/'))).toEqual([]);
});

test.each([
  ['vmstat', 'oom_kill 1\noom_kill 2\n'],
  ['vmstat', 'oom_kill 1\nnr_x 12'],
  ['vmstat', 'oom_kill x\n'],
  ['vmstat', ''],
  ['sys/fs/file-nr', '10\t20\t30\n'],
  ['sys/fs/file-nr', '10\t0\n'],
  ['sys/kernel/random/entropy_avail', '-1\n'],
  ['sys/kernel/random/entropy_avail', '25'],
  ['net/softnet_stat', `${SOFTNET}0000272d 00000003\n`],
  ['net/softnet_stat', SOFTNET + SOFTNET.replace('00000003 ', '')],
  ['net/softnet_stat', SOFTNET.replace('00000003', '3')],
  ['net/snmp', SNMP.replace('-1 ', '')],
  ['net/snmp', SNMP.replace('Tcp: -1', 'Tcp: --1')],
  ['net/snmp', SNMP.replace('RetransSegs', 'Retrans')],
  ['net/snmp', SNMP.replace('140', '-140')],
  ['net/snmp', `${SNMP}Tcp: A\n`],
  ['net/snmp', 'Ip: A\nIp: 1\n'],
])('resources collector: %s with %j costs its own figures and is named', async (file, text) => {
  const error = await collect({ ...GOOD, [`proc/${file}`]: text }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'KERNEL_FILE_MALFORMED',
    message: expect.stringContaining(`cannot parse /proc/${file}: `),
  });
  const names = extractReadings(error).map(({ series }) => series.name);
  expect(names.length).toBeGreaterThanOrEqual(8);
  const own = { vmstat: /oom/, 'sys/fs/file-nr': /files/, 'net/softnet_stat': /softnet/, 'net/snmp': /tcp/ };
  expect(names.filter((name) => (own[file as keyof typeof own] ?? /entropy/).test(name))).toEqual([]);
});
