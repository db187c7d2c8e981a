import { describe, expect, test } from '@jest/globals';

import { parseDiskstats, selectWholeDevices } from '../../../../../collector/src/collectors/readers/diskstats.ts';

describe('parsing', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1).join(' ');

  test.each([11, 15, 17, 20])('takes the same columns of a kernel that writes %d numbers', (count) => {
    expect(parseDiskstats(` 179       0 mmcblk0 ${numbers(count)}\n`).devices).toEqual(
      new Map([['mmcblk0', { readOps: 1, readSectors: 3, writeOps: 5, writeSectors: 7, busyMs: 10, queuedMs: 11 }]]),
    );
  });
});

describe('diskstats: a line that cannot be used costs its device', () => {
  const line = (device: string, count: number) => ` 8 0 ${device} ${Array(count).fill(7).join(' ')}\n`;
  const sda = line('sda', 17);
  const sdc = line('sdc', 17);

  test.each([
    ['is cut', ' 8 16 sdb 1 2 3\n', 'line 2: 3 numbers'],
    ['has fewer numbers than the others', line('sdb', 15), 'line 2: 15 numbers, other lines have 17'],
    ['has a negative number', ' 8 16 sdb -1 2 3 4 5 6 7 8 9 10 11\n', 'line 2: "-1" is not a number'],
    ['is blank', '\n', 'line 2'],
    ['is a second one of a device', sda, 'line 2: a second line of "sda"'],
  ])('diskstats: one that %s', (_, bad, named) => {
    const { devices, errors } = parseDiskstats(sda + bad + sdc);
    expect([...devices.keys()]).toEqual(['sda', 'sdc']);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining(named)]);
  });

  test('diskstats: also if it is the first one', () => {
    const { names, devices, errors } = parseDiskstats(line('sdb', 11) + sda + sdc);
    expect([...devices.keys()]).toEqual(['sda', 'sdc']);
    expect(errors).toHaveLength(1);
    expect(names).toEqual(['sdb', 'sda', 'sdc']);
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
