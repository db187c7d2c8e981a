import { describe, expect, test } from '@jest/globals';

import { parseDiskstats, selectWholeDevices } from '../../../../../collector/src/collectors/readers/diskstats.ts';

describe('parsing', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1).join(' ');

  test.each([11, 15, 17, 20])('takes the same columns of a kernel that writes %d numbers', (count) => {
    expect(parseDiskstats(` 179       0 mmcblk0 ${numbers(count)}\n`)).toEqual(
      new Map([['mmcblk0', { readOps: 1, readSectors: 3, writeOps: 5, writeSectors: 7, busyMs: 10, queuedMs: 11 }]]),
    );
  });
});

describe('whole devices', () => {
  test('are those in /sys/block, where slashes are written as exclamation marks (A-30)', () => {
    const listed = ['sda', 'sda1', 'cciss/c0d0', 'cciss/c0d0p1', 'xvda1'];
    expect(selectWholeDevices(listed, ['cciss!c0d0', 'sda', 'sdz', 'xvda1'])).toEqual(['sda', 'cciss/c0d0', 'xvda1']);
  });

  test('are none when /sys/block is empty', () => {
    expect(selectWholeDevices(['sda'], [])).toEqual([]);
  });

  test.each([
    [
      ['sda', 'sda1', 'sda12', 'sdaa', 'sdaa1'],
      ['sda', 'sdaa'],
    ],
    [
      ['nvme0n1', 'nvme0n1p1', 'nvme0n1p12', 'nvme0n2'],
      ['nvme0n1', 'nvme0n2'],
    ],
    [
      ['mmcblk0', 'mmcblk0p1', 'mmcblk0boot0', 'mmcblk0boot1', 'mmcblk1'],
      ['mmcblk0', 'mmcblk0boot0', 'mmcblk0boot1', 'mmcblk1'],
    ],
    [
      ['md0', 'md0p1', 'md127', 'dm-0', 'loop0', 'loop0p1', 'loop10', 'sr0'],
      ['md0', 'md127', 'dm-0', 'loop0', 'loop10', 'sr0'],
    ],
    [['cciss/c0d0', 'cciss/c0d0p1'], ['cciss/c0d0']],
    [
      ['xvda1', 'xvdb', 'xvdb1'],
      ['xvda1', 'xvdb'],
    ],
  ])('are told by their names where there is no sysfs: %j', (listed, whole) => {
    expect(selectWholeDevices(listed, undefined)).toEqual(whole);
  });
});
