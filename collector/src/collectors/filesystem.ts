import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector, CollectorEvent } from './collector.ts';
import type { KernelSource, FileSystemSpace } from '../kernel/kernel-files.ts';
import type { NameRules } from './parsing/name-filter.ts';
import { DroppedMounts, type DropReason } from './readers/dropped-mounts.ts';
import { classifyMount, createMountFilter, parseMountinfo, selectRealMounts, type Mount } from './readers/mountinfo.ts';
import { requireNoErrors } from './readers/partial-result.ts';
import { ReadonlyRemounts, readonlyRemounts } from './readers/readonly-remounts.ts';

const sizeBytes = declareSeries({
  name: 'filesystem.size_bytes',
  kind: 'gauge',
  unit: 'bytes',
  help: 'Size of the mounted file system.',
});
const availableBytes = declareSeries({
  name: 'filesystem.available_bytes',
  kind: 'gauge',
  unit: 'bytes',
  help: 'Space that is available to users other than root.',
});
const files = declareSeries({
  name: 'filesystem.files',
  kind: 'gauge',
  unit: 'none',
  help: 'Inodes of the file system; absent if it has no limit.',
});
const filesFree = declareSeries({
  name: 'filesystem.files_free',
  kind: 'gauge',
  unit: 'none',
  help: 'Free inodes of the file system.',
});
const readonly = declareSeries({
  name: 'filesystem.readonly',
  kind: 'gauge',
  unit: 'none',
  help: '1 while the file system is read-only: mounted so, or since an error.',
});
const unreadable = declareSeries({
  name: 'filesystem.unreadable',
  kind: 'gauge',
  unit: 'none',
  help: '1 while a mounted file system hangs or its space cannot be read; otherwise absent.',
});
const mountsDropped = declareSeries({
  name: 'filesystem.mounts_dropped_total',
  kind: 'counter',
  unit: 'none',
  help: 'Times that a mount began to be unreported because the collector may not or cannot reach it; absent while there was none.',
});
export const FILESYSTEM_SERIES: readonly SeriesDeclaration[] = [
  sizeBytes,
  availableBytes,
  files,
  filesFree,
  readonly,
  unreadable,
  mountsDropped,
  readonlyRemounts,
];

/** The mounts whose space is reported, and the errors of malformed lines of the list. */
interface MountList {
  readonly mounts: readonly Mount[];
  readonly errors: readonly AgentError[];
}

/**
 * Collects the space of real file systems. One that hangs or fails has `filesystem.unreadable` in place of its other
 * series. If it is local, the collector also fails and names it: a disk of this device has failed. A server that does not
 * respond is no failure of the device, and on a bad link the normal state. A mount below a folder that this user may not
 * enter is left out: on a desktop, and beside containers, that is the normal state too.
 */
export class FilesystemCollector implements Collector {
  readonly name = 'filesystem';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #isWanted: (mount: Mount) => boolean;
  readonly #dropped = new DroppedMounts();
  readonly #remounts = new ReadonlyRemounts();
  #becameReadonly: readonly Mount[] = [];
  /** The text of mountinfo and its mounts: it rarely changes, and parsing it costs more than the rest of a scrape. */
  #text = '';
  #listed: MountList = { mounts: [], errors: [] };

  /** `rules` are for mount points and types. */
  constructor(kernel: KernelSource, rules: NameRules) {
    this.#kernel = kernel;
    this.#isWanted = createMountFilter(rules);
  }

  /** The mounts that became read-only since the scrape before. */
  get events(): readonly CollectorEvent[] {
    return this.#becameReadonly.map(({ mountpoint, source }) => ({
      message: 'file system became read-only',
      fields: { mountpoint, device: source },
    }));
  }

  get notice(): string | undefined {
    return this.#dropped.notice;
  }

  async collect(): Promise<readonly Reading[]> {
    this.#becameReadonly = [];
    const { mounts, errors: malformed } = await this.#readMounts();
    this.#becameReadonly = this.#remounts.update(mounts);
    const readings: Reading[] = [];
    const errors = [...malformed];
    const dropped = new Map<string, DropReason>();
    for (const mount of mounts) {
      const space = mount.isUtf8 ? await this.#readSpace(mount) : 'notUtf8';
      if (space === 'notUtf8' || space === 'forbidden') {
        dropped.set(mount.mountpoint, space);
        continue;
      }
      readings.push(...toReadings(mount, space));
      if (isFailure(space) && classifyMount(mount) === 'local') errors.push(space);
    }
    this.#dropped.update(dropped);
    const { total } = this.#dropped;
    if (total > 0) readings.push({ series: mountsDropped, labels: {}, value: total });
    readings.push(...this.#remounts.toReadings());
    return requireNoErrors(errors, readings);
  }

  async #readMounts(): Promise<MountList> {
    const text = await this.#kernel.proc('self/mountinfo');
    if (text !== this.#text || text === '') {
      const { mounts, errors } = parseMountinfo(text);
      this.#listed = { mounts: selectRealMounts(mounts, this.#isWanted), errors };
      this.#text = text;
    }
    return this.#listed;
  }

  async #readSpace(mount: Mount): Promise<FileSystemSpace | AgentError | 'forbidden'> {
    try {
      return await this.#kernel.statfs(mount.mountpoint, classifyMount(mount));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return toErrorCode(error.cause) === 'EACCES' ? 'forbidden' : error;
    }
  }
}

function toReadings({ mountpoint, fstype, isReadonly }: Mount, space: FileSystemSpace | AgentError): Reading[] {
  const labels: Labels = { mountpoint, fstype };
  if (space instanceof AgentError) return isGone(space) ? [] : [{ series: unreadable, labels, value: 1 }];
  if (space.sizeBytes === 0) return []; // A ramfs or pseudo file system, which stores no files on a device.
  return [
    { series: sizeBytes, labels, value: space.sizeBytes },
    { series: availableBytes, labels, value: space.availableBytes },
    ...(space.files === 0
      ? []
      : [
          { series: files, labels, value: space.files },
          { series: filesFree, labels, value: space.filesFree },
        ]),
    { series: readonly, labels, value: isReadonly ? 1 : 0 },
  ];
}

function isFailure(space: FileSystemSpace | AgentError): space is AgentError {
  return space instanceof AgentError && !isGone(space);
}

/** Unmounted since the list was read. */
function isGone({ code }: AgentError): boolean {
  return code === 'KERNEL_FILE_ABSENT';
}
