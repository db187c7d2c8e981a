import { describe, expect, test } from '@jest/globals';
import type { AgentError } from '@thugshells/shared/errors.ts';

import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { MemoryCollector, parseMeminfo } from '../../../../collector/src/collectors/memory.ts';
import { indexByIdentity, readRecorded, TextKernel } from '../../../support/collector/text-kernel.ts';

const text = [
  'MemTotal:        4000000 kB',
  'MemFree:          500000 kB',
  'MemAvailable:    3000000 kB',
  'Buffers:          100000 kB',
  'Cached:          2000000 kB',
  'SwapCached:         4000 kB',
  'SwapTotal:       1000000 kB',
  'SwapFree:         750000 kB',
  'HugePages_Total:       0',
  '',
].join('\n');

async function readingsOf(meminfo: string) {
  const kernel = new TextKernel({ 'proc/meminfo': meminfo });
  return indexByIdentity(await new MemoryCollector(kernel).collect());
}

test('memory in use is what is not available, in bytes of 1,024 to the kB', async () => {
  expect(await readingsOf(text)).toEqual({
    'memory.used_bytes': 1_000_000 * 1024,
    'memory.available_bytes': 3_000_000 * 1024,
    'memory.swap_used_bytes': 250_000 * 1024,
  });
});

test('a text that breaks off costs what is not there any more', () => {
  const cut = (at: string) => parseMeminfo(text.slice(0, text.indexOf(at)));
  const memory = { usedBytes: 1_000_000 * 1024, availableBytes: 3_000_000 * 1024 };
  const inSwap = cut(' kB\nSwapFree');
  expect(inSwap.amounts).toEqual(memory);
  expect(inSwap.errors.map(({ message }) => message)).toEqual([
    'cannot parse /proc/meminfo: line 7: truncated, no newline at its end',
    'cannot parse /proc/meminfo: no line SwapTotal',
  ]);
  const behind = cut('    0\n');
  expect(behind.amounts).toEqual({ ...memory, swapUsedBytes: 250_000 * 1024 });
  expect(behind.errors).toHaveLength(1);
});

test('without MemAvailable, what is free, buffered and cached counts as available', () => {
  expect(parseMeminfo(text.replace(/^MemAvailable.*\n/m, '')).amounts).toEqual({
    usedBytes: 1_400_000 * 1024,
    availableBytes: 2_600_000 * 1024,
    swapUsedBytes: 250_000 * 1024,
  });
});

test('a line of no concern may look as it likes', () => {
  expect(parseMeminfo(`${text}Vendor Memory 12 of 13\n`)).toEqual(parseMeminfo(text));
});

describe('memory: an amount that cannot be used costs what needs it, and is named', () => {
  const USED = { 'memory.used_bytes': 1_000_000 * 1024 };
  const AVAILABLE = { 'memory.available_bytes': 3_000_000 * 1024 };
  const SWAP = { 'memory.swap_used_bytes': 250_000 * 1024 };
  /** Replaces the line of a name. */
  const withLine = (name: string, line: string) => text.replace(new RegExp(`^${name}:.*\\n`, 'm'), line);

  test.each([
    [
      'more swap free than there is',
      withLine('SwapFree', 'SwapFree:        9000000 kB\n'),
      'more swap',
      { ...USED, ...AVAILABLE },
    ],
    // WSL 1: about 2^54 kB, wider than the column.
    [
      'more than any swap',
      withLine('SwapFree', 'SwapFree:18014395901337788 kB\n'),
      'more swap',
      { ...USED, ...AVAILABLE },
    ],
    ['no total of swap', withLine('SwapTotal', ''), 'no line SwapTotal', { ...USED, ...AVAILABLE }],
    [
      'swap that is no number',
      withLine('SwapFree', 'SwapFree: - kB\n'),
      '"-" is not a number',
      { ...USED, ...AVAILABLE },
    ],
    ['more available than there is', withLine('MemTotal', 'MemTotal: 2000000 kB\n'), 'more memory', SWAP],
    ['no total', withLine('MemTotal', ''), 'no line MemTotal', { ...AVAILABLE, ...SWAP }],
    [
      'a total in another unit',
      withLine('MemTotal', 'MemTotal: 4000 MB\n'),
      'MemTotal is not one',
      { ...AVAILABLE, ...SWAP },
    ],
    ['a total twice', `${text}MemTotal: 1 kB\n`, 'a second line MemTotal', { ...AVAILABLE, ...SWAP }],
    ['available memory that is no number', withLine('MemAvailable', 'MemAvailable: x kB\n'), 'line 3: "x"', SWAP],
  ])('memory: %s', async (_, meminfo, named, expected) => {
    const collector = new MemoryCollector(new TextKernel({ 'proc/meminfo': meminfo }));
    const error: unknown = await collector.collect().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED', message: expect.stringContaining(named) });
    expect((error as AgentError).message).toMatch(/^cannot parse \/proc\/meminfo: [^;]*$/);
    expect(indexByIdentity(extractReadings(error))).toEqual(expected);
  });

  test('memory: a line that nothing needs costs nothing', async () => {
    expect(await readingsOf(withLine('Cached', 'Cached: x kB\n'))).toEqual({ ...USED, ...AVAILABLE, ...SWAP });
  });

  test('memory: a wide number without a blank before it is one', async () => {
    const wide = text.replace('MemTotal:        4000000 kB', 'MemTotal:4000000 kB');
    expect(await readingsOf(wide)).toEqual({ ...USED, ...AVAILABLE, ...SWAP });
  });

  test.each([`${(2n ** 64n - 2n ** 17n) / 1024n}`, `${2n ** 64n - 128n}`, '4'])(
    'memory: without swap space, none is in use when %s kB of it are free, which is said once',
    async (free) => {
      const lxcfs = withLine('SwapTotal', 'SwapTotal: 0 kB\n').replace(/SwapFree:.*/, `SwapFree: ${free} kB`);
      const kernel = new TextKernel({ 'proc/meminfo': lxcfs });
      const collector = new MemoryCollector(kernel);
      expect(indexByIdentity(await collector.collect())).toEqual({
        ...USED,
        ...AVAILABLE,
        'memory.swap_used_bytes': 0,
      });
      expect(collector.leftOut).toEqual([
        { event: 'value left out', count: 0, reason: expect.stringMatching(/^\/proc\/meminfo: SwapFree is [0-9]+ kB/) },
      ]);
      kernel.files.set('proc/meminfo', text);
      await collector.collect();
      expect(collector.leftOut).toEqual([]);
    },
  );
});

describe('the recorded device', () => {
  test.each([
    ['proc', 25276514304, 419995648, 24856518656],
    ['proc-later', 25276514304, 355614720, 24920899584],
  ])('has in %s what free -b says', async (recording, total, used, available) => {
    const readings = await readingsOf(readRecorded(`${recording}/meminfo`));
    expect(readings).toEqual({
      'memory.used_bytes': used,
      'memory.available_bytes': available,
      'memory.swap_used_bytes': 0,
    });
    expect(used + available).toBe(total);
  });
});
