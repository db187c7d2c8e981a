import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration, type SeriesUnit } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { readOptional } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { findCgroupVersion, findUnits, getUnitRoot } from './readers/cgroup-tree.ts';
import { createGroupReader, type GroupReader } from './readers/cgroup-values.ts';
import { readEach, type SourceReader } from './readers/partial-result.ts';

const gauge = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'gauge', unit, help });
const counter = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'counter', unit, help });
const up = gauge('service.up', 'none', 'Whether the unit has a process: 1 if it has one.');
const restarts = counter(
  'service.restarts_total',
  'none',
  'Times that the unit was found to be running anew since the collector started; several between two scrapes count once.',
);
const cpuSeconds = counter('service.cpu_seconds_total', 'seconds', 'Processor time of the unit since it started.');
const memoryBytes = gauge('service.memory_bytes', 'bytes', 'Memory of the unit, with its share of the page cache.');
const tasks = gauge('service.tasks', 'none', 'Processes and threads of the unit.');
const oomKills = counter(
  'service.oom_kills_total',
  'none',
  'Processes of the unit that the kernel killed because memory was short, since it started.',
);
const readBytes = counter(
  'service.io_read_bytes_total',
  'bytes',
  'Bytes that the unit read from disks since it started.',
);
const writtenBytes = counter(
  'service.io_write_bytes_total',
  'bytes',
  'Bytes that the unit wrote to disks since it started.',
);
export const SERVICE_SERIES: readonly SeriesDeclaration[] = [
  up,
  restarts,
  cpuSeconds,
  memoryBytes,
  tasks,
  oomKills,
  readBytes,
  writtenBytes,
];

/** What is known of a unit between two scrapes. */
interface UnitRecord {
  /** Path of its control group below the root. */
  group?: string | undefined;
  /** Inode of the group it had a process in when that was last seen; systemd creates another one at each start. */
  inode?: number;
  /** Whether it had a process at the last scrape. */
  isUp: boolean;
  restarts: number;
}

/** Collects what systemd units use, by their control groups: without D-Bus, and with no right that the sandbox denies. */
export class ServiceCollector implements Collector {
  readonly name = 'service';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #units: ReadonlyMap<string, UnitRecord>;

  constructor(kernel: KernelSource, units: readonly string[]) {
    this.#kernel = kernel;
    this.#units = new Map(units.map((unit) => [unit, { isUp: false, restarts: 0 }]));
  }

  /** @throws AgentError KERNEL_FILE_ABSENT also if no unit is to be collected */
  async collect(): Promise<readonly Reading[]> {
    if (this.#units.size === 0) throw new AgentError('no unit to collect', { code: 'KERNEL_FILE_ABSENT' });
    const version = await findCgroupVersion(this.#kernel);
    const root = getUnitRoot(version);
    const reader = createGroupReader(this.#kernel, version);
    const inodes = await this.#locate(root);
    return readEach(
      [...this.#units].map(
        ([unit, record]) =>
          () =>
            this.#readUnit({ unit, record, inode: inodes.get(unit), reader }),
      ),
    );
  }

  /**
   * Finds the groups of units that have none, or none any more: they are created where the unit's slice is. Returns the
   * inodes of all groups by unit.
   */
  async #locate(root: string): Promise<ReadonlyMap<string, number>> {
    const inodes = new Map<string, number>();
    const note = async (unit: string, group: string | undefined): Promise<void> => {
      const read = group === undefined ? undefined : this.#kernel.sysInode(`${root}${group}`);
      const inode = read === undefined ? undefined : await readOptional(read, undefined);
      if (inode !== undefined) inodes.set(unit, inode);
    };
    for (const [unit, { group }] of this.#units) await note(unit, group);
    const lost = new Set([...this.#units.keys()].filter((unit) => !inodes.has(unit)));
    if (lost.size === 0) return inodes;
    const found = await findUnits(this.#kernel, root, lost);
    for (const unit of lost) {
      const group = found.get(unit);
      this.#units.get(unit)!.group = group;
      await note(unit, group);
    }
    return inodes;
  }

  async #readUnit({ unit, record, inode, reader }: UnitSources): Promise<readonly Reading[]> {
    const labels = { unit };
    const { group } = record;
    const isUp =
      group !== undefined && inode !== undefined && (await readOptional(reader.isPopulated(group), undefined));
    // It goes while it is read: the next scrape shows whether it is back.
    if (isUp === undefined) return [];
    // The first start that is seen is none: it may have been long before the collector's.
    if (isUp && record.inode !== undefined && (!record.isUp || inode !== record.inode)) record.restarts += 1;
    record.isUp = isUp;
    if (isUp && inode !== undefined) record.inode = inode;
    const always = [
      { series: up, labels, value: isUp ? 1 : 0 },
      { series: restarts, labels, value: record.restarts },
    ];
    return readEach([async () => always, ...(isUp ? createSources(group, labels, reader) : [])]);
  }
}

interface UnitSources {
  readonly unit: string;
  readonly record: UnitRecord;
  /** Of its group; undefined if it has none. */
  readonly inode: number | undefined;
  readonly reader: GroupReader;
}

/** What a unit uses; the kernel accounts only for what systemd enables for the unit. */
function createSources(group: string, labels: Labels, reader: GroupReader): SourceReader[] {
  const figures = [
    [cpuSeconds, reader.cpuSeconds],
    [memoryBytes, reader.memoryBytes],
    [tasks, reader.tasks],
    [oomKills, reader.oomKills],
  ] as const;
  return [
    ...figures.map(([series, read]) => async () => [{ series, labels, value: await read(group) }]),
    async () => {
      const io = await reader.io(group);
      if (io === undefined) return [];
      return [
        { series: readBytes, labels, value: io.readBytes },
        { series: writtenBytes, labels, value: io.writtenBytes },
      ];
    },
  ];
}
