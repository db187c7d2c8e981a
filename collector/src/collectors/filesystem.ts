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
  help: 'Space that users other than root may still fill.',
});
const files = declareSeries({
  name: 'filesystem.files',
  kind: 'gauge',
  unit: 'none',
  help: 'Files that the file system can hold (inodes); not there where it knows no such bound.',
});
const filesFree = declareSeries({
  name: 'filesystem.files_free',
  kind: 'gauge',
  unit: 'none',
  help: 'Files that it can hold besides those that it has.',
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
  help: '1 while a mounted file system hangs or does not tell its space; not there while it does.',
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
 * The space of real file systems. One that hangs or fails is left out alone, with `filesystem.unreadable` in its place.
 * A local one makes the collector fail besides, by name: a disk of this board is at fault. A server that is away does
 * not: it is no fault of the board's, and on a bad link it would be the normal state.
 */
export class FilesystemCollector implements Collector {
  readonly name = 'filesystem';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  /** The text of mountinfo and what it says: it rarely changes, and to parse it costs more than all else here. */
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
  if (space.sizeBytes === 0) return []; // What has no size is not a place to put files: a ramfs, a pseudo file system.
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

/** Unmounted between the list and the question, or below a name that is no UTF-8, which we cannot spell. */
function isGone({ code }: AgentError): boolean {
  return code === 'KERNEL_FILE_ABSENT';
}
