import { expect, test } from '@jest/globals';

import { readDiskModels } from '../../../../../collector/src/collectors/readers/disk-model.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../../support/collector/text-kernel.ts';

const deviceFiles = (device: string, attributes: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, text]) => [`sys/block/${device}/device/${name}`, `${text}\n`]),
  );
const CARD = { type: 'SD', name: 'SC32G', manfid: '0x000003', oemid: '0x5344', date: '03/2021' };
const read = async (files: Readonly<Record<string, string>>) =>
  Object.keys(indexByIdentity(await readDiskModels(new TextKernel(files))));

test.each([
  ['mmcblk0', CARD, 'kind=sd,model=SC32G,manfid=0x000003,oemid=0x5344,date=03/2021'],
  [
    'mmcblk2',
    { ...CARD, type: 'MMC', name: 'BJTD4R' },
    'kind=mmc,model=BJTD4R,manfid=0x000003,oemid=0x5344,date=03/2021',
  ],
  ['nvme0n1', { model: 'KBG40ZNS256G NVMe KIOXIA 256GB          ' }, 'kind=nvme,model=KBG40ZNS256G NVMe KIOXIA 256GB'],
  ['sda', { vendor: 'ATA     ', model: 'Samsung SSD 870 ', type: '0' }, 'kind=scsi,model=ATA Samsung SSD 870'],
  ['sdb', { model: 'Ultra Fit' }, 'kind=scsi,model=Ultra Fit'],
])('disk models: reads those of %s', async (device, attributes, labels) => {
  expect(await read(deviceFiles(device, attributes as Record<string, string>))).toEqual([
    `disk.info{device=${device},${labels}}`,
  ]);
});

test('disk models: partitions, boot areas of eMMC and devices without a model have none', async () => {
  const others = ['mmcblk0boot0', 'nvme0c0n1', 'sda1', 'loop0', 'mmcblk1p1'];
  const files = Object.assign({}, ...others.map((device) => deviceFiles(device, CARD))) as Record<string, string>;
  const virtual = deviceFiles('mmcblk3', { date: '01/2020' });
  await expect(read({ ...files, ...virtual, ...deviceFiles('sdc', { type: '0' }) })).rejects.toMatchObject({
    code: 'KERNEL_FILE_ABSENT',
  });
  expect(await read({ ...files, ...deviceFiles('mmcblk0', CARD) })).toHaveLength(1);
});

test.each(['', '\u0001\u0002', 'two\nlines', 'x'.repeat(300)])(
  'disk models: a forged card with the name %j keeps its other labels',
  async (name) => {
    expect(await read(deviceFiles('mmcblk0', { ...CARD, name }))).toEqual([
      'disk.info{device=mmcblk0,kind=sd,manfid=0x000003,oemid=0x5344,date=03/2021}',
    ]);
  },
);

test('disk models: an attribute that cannot be read, and a type that the kernel does not have, are left out', async () => {
  const kernel = new TextKernel(deviceFiles('mmcblk0', { ...CARD, type: 'XD' }));
  kernel.errors.set('sys/block/mmcblk0/device/oemid', createKernelError('/sys/block/mmcblk0/device/oemid', 'EIO'));
  expect(Object.keys(indexByIdentity(await readDiskModels(kernel)))).toEqual([
    'disk.info{device=mmcblk0,model=SC32G,manfid=0x000003,date=03/2021}',
  ]);
});
