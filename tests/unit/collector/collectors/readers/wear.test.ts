import { describe, expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';
import fc from 'fast-check';

import { DiskCollector } from '../../../../../collector/src/collectors/disk.ts';
import { extractReadings } from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { readWear } from '../../../../../collector/src/collectors/readers/wear.ts';
import {
  indexByIdentity,
  readRecorded,
  RecordedKernel,
  TextKernel,
} from '../../../../support/collector/text-kernel.ts';

const card = (lifeTime: string, preEol: string, name = 'mmcblk0') => ({
  [`sys/block/${name}/device/life_time`]: lifeTime,
  [`sys/block/${name}/device/pre_eol_info`]: preEol,
});
const read = async (files: Readonly<Record<string, string>>, devices = ['mmcblk0']) =>
  indexByIdentity(await readWear(new TextKernel(files), devices));

describe('an eMMC', () => {
  test('reports the lifetime used of both types of its memory, in tenths, and the state of its spare blocks', async () => {
    expect(await read(card('0x02 0x0b\n', '0x03\n'))).toEqual({
      'disk.life_time_estimate{device=mmcblk0,memory=a}': 2,
      'disk.life_time_estimate{device=mmcblk0,memory=b}': 11,
      'disk.pre_eol_state{device=mmcblk0}': 3,
    });
  });

  test('that does not define a value, or writes one that JEDEC does not, has no reading of it', async () => {
    expect(await read(card('0x00 0x01\n', '0x00\n'))).toEqual({
      'disk.life_time_estimate{device=mmcblk0,memory=b}': 1,
    });
    expect(await read(card('0x0c 0xff\n', '0x04\n'))).toEqual({});
  });

  test('of the recorded device, an emulated one of 5.x, defines neither', async () => {
    expect(readRecorded('sys/block/mmcblk0/device/life_time', 'x86-board')).toBe('0x00 0x00\n');
    expect(await readWear(new RecordedKernel('', 'x86-board'), ['mmcblk0'])).toEqual([]);
  });
});

test('a device without wear, such as an SD card, and what is no card, are not asked or have none', async () => {
  await expect(readWear(new TextKernel({}), ['mmcblk0'])).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  const files = { ...card('0x01 0x01\n', '0x01\n', 'sda'), ...card('0x01 0x01\n', '0x01\n', 'mmcblk0boot0') };
  expect(await read(files, ['sda', 'mmcblk0boot0'])).toEqual({});
});

describe('a spoilt file', () => {
  test.each(['', '\n', '0x01\n', '0x01 0x02 0x03\n', '1 x\n', '0x01 0x02\n0x03\n', '0x 0x01\n'])(
    'that reads %j is named, and takes no traffic along',
    async (text) => {
      const kernel = new TextKernel({
        ...card(text, '0x01\n'),
        'proc/diskstats': '179 0 mmcblk0 1 0 2 0 3 0 4 0 0 0 0\n',
      });
      const error = await new DiskCollector(kernel, { include: [], exclude: [], sectorBytes: 512 })
        .collect({ monotonicMs: 0 })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED' });
      expect((error as AgentError).message).toContain('/sys/block/mmcblk0/device/life_time: ');
      expect(Object.keys(indexByIdentity(extractReadings(error)))).toHaveLength(6 + 1);
    },
  );

  test('of any text gives whole tenths from 1 to 11, or is refused by name', async () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^(0x)?[0-9a-f]{1,3} (0x)?[0-9a-f]{1,3}\n$/),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const outcome = await readWear(new TextKernel(card(text, '0x01\n')), ['mmcblk0']).catch(
          (error: unknown) => error,
        );
        if (outcome instanceof AgentError) expect(outcome.code).toBe('KERNEL_FILE_MALFORMED');
        else
          for (const { value } of outcome as { value: number }[])
            expect(Number.isInteger(value) && value >= 1 && value <= 11).toBe(true);
      }),
    );
  });
});
