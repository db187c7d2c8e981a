import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource, FileSystemSpace } from '../kernel/kernel-files.ts';
import { classifyMount, parseMountinfo, selectRealMounts, type Mount } from './readers/mountinfo.ts';
import { PartialResultError } from './readers/partial-result.ts';

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
export const FILESYSTEM_SERIES: readonly SeriesDeclaration[] = [
  sizeBytes,
  availableBytes,
  files,
  filesFree,
  readonly,
  unreadable,
];

/**
 * Collects the space of real file systems. One that hangs or fails has `filesystem.unreadable` in place of its other
 * series. If it is local, the collector also fails and names it: a disk of this device has failed. A server that does not
 * respond is no failure of the device, and on a bad link the normal state.
 */
export class FilesystemCollector implements Collector {
  readonly name = 'filesystem';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  /** The text of mountinfo and its mounts: it rarely changes, and parsing it costs more than the rest of a scrape. */
  #text = '';
  #mounts: readonly Mount[] = [];

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  async collect(): Promise<readonly Reading[]> {
    const readings: Reading[] = [];
    const errors: AgentError[] = [];
    for (const mount of await this.#readMounts()) {
      const space = await this.#readSpace(mount);
      readings.push(...toReadings(mount, space));
      if (space instanceof AgentError && !isGone(space) && classifyMount(mount) === 'local') errors.push(space);
    }
    const [first, ...others] = errors;
    if (first !== undefined) throw new PartialResultError([first, ...others], readings);
    return readings;
  }

  async #readMounts(): Promise<readonly Mount[]> {
    const text = await this.#kernel.proc('self/mountinfo');
    if (text !== this.#text || text === '') {
      this.#mounts = selectRealMounts(parseMountinfo(text));
      this.#text = text;
    }
    return this.#mounts;
  }

  async #readSpace(mount: Mount): Promise<FileSystemSpace | AgentError> {
    try {
      return await this.#kernel.statfs(mount.mountpoint, classifyMount(mount));
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
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

/** Unmounted since the list was read, or below a name that is not UTF-8, which Node cannot pass on. */
function isGone({ code }: AgentError): boolean {
  return code === 'KERNEL_FILE_ABSENT';
}
