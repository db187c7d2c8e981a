import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration, type SeriesUnit } from '@thugshells/shared/metrics/series.ts';

import type { Collector, Scrape } from './collector.ts';
import { readOptional } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { CounterIncreases, type Counters } from './parsing/counter-increases.ts';
import {
  KERNEL_SECTOR_BYTES,
  parseDiskstats,
  toSysfsName,
  selectWholeDevices,
  type DiskCounters,
} from './readers/diskstats.ts';
import { parseSizeFile } from './parsing/kernel-text.ts';
import { createNameFilter, type NameRules } from './parsing/name-filter.ts';
import { readEach } from './readers/partial-result.ts';
import { readWear, WEAR_SERIES } from './readers/wear.ts';

const total = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'counter', unit, help });
const rate = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'gauge', unit, help });

/** The counter and the rate of each quantity. */
const SERIES = {
  readBytes: [
    total('disk.read_bytes_total', 'bytes', 'Bytes read from the device since it appeared.'),
    rate('disk.read_bytes_per_second', 'bytes_per_second', 'Bytes read a second since the last scrape.'),
  ],
  writeBytes: [
    total('disk.write_bytes_total', 'bytes', 'Bytes written to the device since it appeared.'),
    rate('disk.write_bytes_per_second', 'bytes_per_second', 'Bytes written a second since the last scrape.'),
  ],
  readOps: [
    total('disk.read_ops_total', 'operations', 'Reads that the device completed since it appeared.'),
    rate('disk.read_ops_per_second', 'operations_per_second', 'Reads completed a second since the last scrape.'),
  ],
  writeOps: [
    total('disk.write_ops_total', 'operations', 'Writes that the device completed since it appeared.'),
    rate('disk.write_ops_per_second', 'operations_per_second', 'Writes completed a second since the last scrape.'),
  ],
} as const;
const busySeconds = total('disk.io_time_seconds_total', 'seconds', 'Time in which the device was busy.');
const queuedSeconds = total(
  'disk.io_time_weighted_seconds_total',
  'seconds',
  'Sum of the durations of all operations; divided by the busy time it is the mean number in progress.',
);
type Quantity = keyof typeof SERIES;
const QUANTITIES = Object.keys(SERIES) as Quantity[];
export const DISK_SERIES: readonly SeriesDeclaration[] = [
  ...Object.values(SERIES).flat(),
  busySeconds,
  queuedSeconds,
  ...WEAR_SERIES,
];

/** Block devices to report, and bytes in a sector: 512, or each device's logical block size in sysfs. */
export interface DiskOptions extends NameRules {
  readonly sectorBytes: typeof KERNEL_SECTOR_BYTES | 'sysfs';
}

/**
 * Collects reads and writes of whole block devices: counters always, rates if the device was there at the last scrape;
 * and the wear of flash memory that reports it.
 */
export class DiskCollector implements Collector {
  readonly name = 'disk';
  readonly comparesReads = true;
  readonly #kernel: KernelSource;
  readonly #isWanted: (device: string) => boolean;
  readonly #sectorBytes: DiskOptions['sectorBytes'];
  readonly #increases = new CounterIncreases<Quantity>();
  #beforeMs = 0;

  constructor(kernel: KernelSource, options: DiskOptions) {
    this.#kernel = kernel;
    this.#isWanted = createNameFilter(options);
    this.#sectorBytes = options.sectorBytes;
  }

  async collect({ monotonicMs }: Scrape): Promise<readonly Reading[]> {
    const listed = await this.#listDevices();
    const devices = await this.#toByteCounters(listed);
    const seconds = (monotonicMs - this.#beforeMs) / 1000;
    const increases = this.#increases.update(devices);
    this.#beforeMs = monotonicMs;
    const traffic = [...devices].flatMap(([device, counters]) => [
      ...toTimes(device, listed.get(device) as DiskCounters),
      ...QUANTITIES.map((one) => ({ series: SERIES[one][0], labels: { device }, value: counters[one] })),
      ...toRates(device, increases.get(device), seconds),
    ]);
    return readEach([async () => traffic, () => readWear(this.#kernel, [...devices.keys()])]);
  }

  async #listDevices(): Promise<Map<string, DiskCounters>> {
    const inSysBlock = await readOptional(this.#kernel.sysEntries('block'), undefined);
    const text = await this.#kernel.proc('diskstats');
    // A device that booted from the network and has no block device: the kernel writes no line.
    const listed = text === '' && inSysBlock?.length === 0 ? new Map<string, DiskCounters>() : parseDiskstats(text);
    const wanted = selectWholeDevices([...listed.keys()], inSysBlock).filter(this.#isWanted);
    return new Map(wanted.map((device) => [device, listed.get(device) as DiskCounters]));
  }

  async #toByteCounters(listed: ReadonlyMap<string, DiskCounters>): Promise<Map<string, Counters<Quantity>>> {
    const devices = new Map<string, Counters<Quantity>>();
    for (const [device, { readOps, readSectors, writeOps, writeSectors }] of listed) {
      const bytes = await this.#readSectorBytes(device);
      devices.set(device, { readBytes: readSectors * bytes, writeBytes: writeSectors * bytes, readOps, writeOps });
    }
    return devices;
  }

  /** Without a block size in sysfs, the device has none of its own or is being removed: the kernel's unit applies. */
  async #readSectorBytes(device: string): Promise<number> {
    if (this.#sectorBytes !== 'sysfs') return this.#sectorBytes;
    const file = `block/${toSysfsName(device)}/queue/logical_block_size`;
    const text = await readOptional(this.#kernel.sys(file), undefined);
    return text === undefined ? KERNEL_SECTOR_BYTES : parseSizeFile(`/sys/${file}`, text);
  }
}

function toRates(device: string, increase: Counters<Quantity> | undefined, seconds: number): Reading[] {
  if (increase === undefined || seconds <= 0) return [];
  return QUANTITIES.map((one) => ({ series: SERIES[one][1], labels: { device }, value: increase[one] / seconds }));
}

function toTimes(device: string, { busyMs, queuedMs }: DiskCounters): Reading[] {
  return [
    { series: busySeconds, labels: { device }, value: busyMs / 1000 },
    { series: queuedSeconds, labels: { device }, value: queuedMs / 1000 },
  ];
}
