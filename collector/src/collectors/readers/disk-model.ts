import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseAttribute } from '../parsing/kernel-text.ts';
import { requirePrintable } from '../parsing/printable-text.ts';

const info = declareSeries({
  name: 'disk.info',
  kind: 'gauge',
  unit: 'none',
  help: 'Always 1; the labels have kind and model of the device, of SD cards and eMMC also manufacturer and date of manufacture.',
});
export const DISK_MODEL_SERIES: readonly SeriesDeclaration[] = [info];

/** Types of cards (mmc_type_show() in drivers/mmc/core/bus.c). */
const CARD_KINDS: ReadonlyMap<string, string> = new Map([
  ['MMC', 'mmc'],
  ['SD', 'sd'],
  ['SDcombo', 'sd'],
]);

/** Reads an attribute of the device; undefined if it has none that can be used. */
type AttributeReader = (name: string) => Promise<string | undefined>;

/** How the labels of a kind of block device are found, by its name; partitions and the boot areas of eMMC are none. */
const DEVICES: readonly (readonly [
  name: RegExp,
  read: (read: AttributeReader) => Promise<Readonly<Record<string, string | undefined>>>,
])[] = [
  [
    // What the card has in its CID register (Documentation/driver-api/mmc/mmc-dev-attrs.rst).
    /^mmcblk[0-9]+$/,
    async (read) => ({
      kind: CARD_KINDS.get((await read('type')) ?? ''),
      model: await read('name'),
      manfid: await read('manfid'),
      oemid: await read('oemid'),
      date: await read('date'),
    }),
  ],
  // drivers/nvme/host/sysfs.c; padded with blanks.
  [/^nvme[0-9]+n[0-9]+$/, async (read) => ({ kind: 'nvme', model: await read('model') })],
  // drivers/scsi/scsi_sysfs.c; the vendor of SATA is ATA.
  [
    /^sd[a-z]+$/,
    async (read) => {
      const parts = [await read('vendor'), await read('model')].filter((part) => part !== undefined);
      return { kind: 'scsi', model: parts.length === 0 ? undefined : parts.join(' ') };
    },
  ],
];

/**
 * Reads what the disks of the device are, without their serial numbers. The kernel asked each when it found it, so no
 * read waits for a device. A forged card may have anything for a name: what is no text is left out.
 *
 * @throws AgentError KERNEL_FILE_ABSENT if no disk has a model; else as `KernelSource.sysEntries` does
 */
export async function readDiskModels(kernel: KernelSource): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (const device of await kernel.sysEntries('block')) {
    const read = DEVICES.find(([name]) => name.test(device))?.[1];
    if (read === undefined) continue;
    const labels = await read((name) => readAttribute(kernel, `block/${device}/device/${name}`));
    if (labels['model'] === undefined && labels['manfid'] === undefined) continue;
    readings.push({ series: info, labels: { device, ...withoutUnknown(labels) }, value: 1 });
  }
  if (readings.length > 0) return readings;
  throw new AgentError('no device in /sys/block has a model', { code: 'KERNEL_FILE_ABSENT' });
}

function withoutUnknown(labels: Readonly<Record<string, string | undefined>>): Labels {
  return Object.fromEntries(
    Object.entries(labels).filter((label): label is [string, string] => label[1] !== undefined),
  );
}

async function readAttribute(kernel: KernelSource, file: string): Promise<string | undefined> {
  try {
    return requirePrintable(parseAttribute(`/sys/${file}`, await kernel.sys(file)));
  } catch (error) {
    if (error instanceof AgentError) return undefined;
    throw error;
  }
}
