import { AgentError } from '@thugshells/shared/errors.ts';
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
import { readEach, requireNoErrors } from './readers/partial-result.ts';
import { readWear, WEAR_SERIES } from './readers/wear.ts';

const total = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'counter', unit, help });
const rate = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'gauge', unit, help });

/** The counter and the rate of each quantity. */
const SERIES = {
  readSectors: [
    total('disk.read_bytes_total', 'bytes', 'Bytes read from the device since it appeared.'),
    rate('disk.read_bytes_per_second', 'bytes_per_second', 'Bytes read a second since the last scrape.'),
  ],
  writeSectors: [
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
    const { devices, errors } = await this.#listDevices();
    const seconds = (monotonicMs - this.#beforeMs) / 1000;
    const increases = this.#increases.update(new Map([...devices].map(([device, all]) => [device, toCounters(all)])));
    this.#beforeMs = monotonicMs;
    const readings: Reading[] = [];
    for (const [device, counters] of devices) {
      const sectorBytes = await this.#readSectorBytes(device);
      if (sectorBytes instanceof AgentError) errors.push(sectorBytes);
      const scales = toScales(sectorBytes);
      readings.push(
        ...toTimes(device, counters),
        ...toTotals(device, counters, scales),
        ...toRates(device, increases.get(device), { seconds, scales }),
      );
    }
    return readEach([async () => requireNoErrors(errors, readings), () => readWear(this.#kernel, [...devices.keys()])]);
  }

  async #listDevices(): Promise<{ readonly devices: Map<string, DiskCounters>; readonly errors: AgentError[] }> {
    const errors: AgentError[] = [];
    const inSysBlock = await readOptional(this.#kernel.sysEntries('block'), undefined).catch((error: unknown) => {
      if (!(error instanceof AgentError)) throw error;
      errors.push(error);
      return undefined;
    });
    const text = await this.#kernel.proc('diskstats');
    // A device that booted from the network and has no block device: the kernel writes no line.
    if (text === '' && inSysBlock?.length === 0) return { devices: new Map(), errors };
    if (text === '') throw createEmptyError();
    const listed = parseDiskstats(text);
    const wanted = new Set(selectWholeDevices(listed.names, inSysBlock).filter(this.#isWanted));
    const devices = new Map([...listed.devices].filter(([device]) => wanted.has(device)));
    return { devices, errors: [...errors, ...listed.errors] };
  }

  /** Without a block size in sysfs, the device has none of its own or is being removed: the kernel's unit applies. */
  async #readSectorBytes(device: string): Promise<number | AgentError> {
    if (this.#sectorBytes !== 'sysfs') return this.#sectorBytes;
    const file = `block/${toSysfsName(device)}/queue/logical_block_size`;
    try {
      const text = await readOptional(this.#kernel.sys(file), undefined);
      return text === undefined ? KERNEL_SECTOR_BYTES : parseSizeFile(`/sys/${file}`, text);
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
    }
  }
}

/** A container has the host's devices in /sys/block, and its own file of diskstats, in which lxcfs counts none for it. */
function createEmptyError(): AgentError {
  return new AgentError('/proc/diskstats is empty: the container has no device of its own', {
    code: 'KERNEL_FILE_ABSENT',
  });
}

/** What a count of each quantity is multiplied by; undefined if it is not known. */
type Scales = Readonly<Record<Quantity, number | undefined>>;

function toScales(sectorBytes: number | AgentError): Scales {
  const bytes = sectorBytes instanceof AgentError ? undefined : sectorBytes;
  return { readSectors: bytes, writeSectors: bytes, readOps: 1, writeOps: 1 };
}

/** The times wrap around and are not among the counters that are compared. */
function toCounters({ readSectors, writeSectors, readOps, writeOps }: DiskCounters): Counters<Quantity> {
  return { readSectors, writeSectors, readOps, writeOps };
}

function toTotals(device: string, counters: DiskCounters, scales: Scales): Reading[] {
  return QUANTITIES.flatMap((one) => {
    const scale = scales[one];
    return scale === undefined ? [] : [{ series: SERIES[one][0], labels: { device }, value: counters[one] * scale }];
  });
}

function toRates(
  device: string,
  increase: Counters<Quantity> | undefined,
  { seconds, scales }: { readonly seconds: number; readonly scales: Scales },
): Reading[] {
  if (increase === undefined || seconds <= 0) return [];
  return QUANTITIES.flatMap((one) => {
    const scale = scales[one];
    if (scale === undefined) return [];
    return [{ series: SERIES[one][1], labels: { device }, value: (increase[one] * scale) / seconds }];
  });
}

function toTimes(device: string, { busyMs, queuedMs }: DiskCounters): Reading[] {
  return [
    { series: busySeconds, labels: { device }, value: busyMs / 1000 },
    { series: queuedSeconds, labels: { device }, value: queuedMs / 1000 },
  ];
}
