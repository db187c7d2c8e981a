import { describe, expect, test } from '@jest/globals';

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

test('without MemAvailable, what is free, buffered and cached counts as available', () => {
  expect(parseMeminfo(text.replace(/^MemAvailable.*\n/m, ''))).toEqual({
    usedBytes: 1_400_000 * 1024,
    availableBytes: 2_600_000 * 1024,
    swapUsedBytes: 250_000 * 1024,
  });
});

test('a line of no concern may look as it likes', () => {
  expect(parseMeminfo(`${text}Vendor Memory 12 of 13\n`)).toEqual(parseMeminfo(text));
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
