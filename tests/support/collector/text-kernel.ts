import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../../../collector/src/collectors/collector.ts';
import type { HostSource } from '../../../collector/src/kernel/host-files.ts';
import { toKernelFileError } from '../../../collector/src/kernel/kernel-file-errors.ts';
import {
  KernelFiles,
  type KernelSource,
  type MountKind,
  type FileSystemSpace,
} from '../../../collector/src/kernel/kernel-files.ts';

/** The recorded devices; the README of each describes its origin. */
export const RECORDED_DEVICES = [
  'x86-vm',
  'x86-board',
  'raspberry-pi-3b',
  'raspberry-pi-4',
  'orange-pi-5',
  'openwrt-router',
] as const;
export type RecordedDevice = (typeof RECORDED_DEVICES)[number];

/** Returns the folder of a recording. */
export function findRecording(device: RecordedDevice): string {
  return join(import.meta.dirname, '../../fixtures', device);
}

/** Returns the text of a recorded file, such as `proc-later/stat`. */
export function readRecorded(relativePath: string, device: RecordedDevice = 'x86-vm'): string {
  return readFileSync(join(findRecording(device), relativePath), 'utf8');
}

/** A kernel whose files are the texts it was given; a test changes them between two scrapes. */
export class TextKernel implements KernelSource {
  readonly files: Map<string, string>;
  /** By mountpoint: what `statfs` returns, or throws. */
  readonly spaces = new Map<string, FileSystemSpace | Error>();
  /** By path below /sys: what the symbolic link there leads to, a path below /sys too. */
  readonly links = new Map<string, string>();
  /** Files of the host have paths that begin with `host/`, their links and ages too. */
  readonly ages = new Map<string, number>();
  readonly host: HostSource = {
    text: async (path) => this.#text(`host/${path}`),
    link: async (path) => this.links.get(`host/${path}`) ?? (this.#text(`host/${path}`), undefined),
    ageMs: async (path) => {
      const error = this.errors.get(`host/${path}`);
      const age = this.ages.get(`host/${path}`);
      if (error !== undefined || age === undefined) throw error ?? createAbsentError(path);
      return age;
    },
  };
  /** By path: what reading an existing file throws. */
  readonly errors = new Map<string, Error>();

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.files = new Map(Object.entries(files));
  }

  async proc(relativePath: string): Promise<string> {
    return this.#text(`proc/${relativePath}`);
  }

  async sys(relativePath: string): Promise<string> {
    return this.#text(`sys/${relativePath}`);
  }

  async procEntries(relativeDirectory: string): Promise<readonly string[]> {
    return this.#entries(`proc/${relativeDirectory}/`.replace('//', '/'));
  }

  async procEntryCount(relativeDirectory: string): Promise<number> {
    return this.#entries(`proc/${relativeDirectory}/`).length;
  }

  /** An empty directory is given as a file whose path ends in `/`. */
  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    return this.#entries(`sys/${relativeDirectory}/`);
  }

  #entries(prefix: string): string[] {
    const error = this.errors.get(prefix);
    if (error !== undefined) throw error;
    const below = [...this.files.keys()].filter((path) => path.startsWith(prefix));
    if (below.length === 0) throw createAbsentError(prefix);
    return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))].filter(
      (name) => name !== '',
    );
  }

  async sysLink(relativePath: string): Promise<string | undefined> {
    return this.links.get(relativePath);
  }

  /** By path below /sys: the inode of a directory that a test creates anew; 1 otherwise. */
  readonly inodes = new Map<string, number>();

  async sysInode(relativeDirectory: string): Promise<number> {
    await this.sysEntries(relativeDirectory);
    return this.inodes.get(relativeDirectory) ?? 1;
  }

  async statfs(mountpoint: string): Promise<FileSystemSpace> {
    const space = this.spaces.get(mountpoint) ?? createAbsentError(mountpoint);
    if (space instanceof Error) throw space;
    return space;
  }

  #text(path: string): string {
    const error = this.errors.get(path);
    if (error !== undefined) throw error;
    const text = this.files.get(path);
    if (text === undefined) throw createAbsentError(path);
    return text;
  }
}

function createAbsentError(path: string): Error {
  return createKernelError(path, 'ENOENT');
}

/** Creates the error that the kernel's adapter throws for an error code of the system. */
export function createKernelError(path: string, code: string): Error {
  return toKernelFileError(path, Object.assign(new Error(`${code}: ${path}`), { code }));
}

/** A recorded device at one of two moments: its files, and the space of its mounts as statfs(2) returned it. */
export class RecordedKernel extends KernelFiles {
  readonly #spaces: ReadonlyMap<string, FileSystemSpace>;

  /** `folder` has the files in place of the recording. */
  constructor(moment: '' | '-later' = '', device: RecordedDevice = 'x86-vm', folder = findRecording(device)) {
    super({ procRoot: join(folder, `proc${moment}`), sysRoot: join(folder, 'sys'), hostRoot: join(folder, 'host') });
    const lines = readRecorded(`statfs${moment}`, device).split('\n').slice(0, -1);
    this.#spaces = new Map(
      lines.map((line) => {
        // The mountpoint comes after the counts, of which there are those of inodes where they were recorded.
        const mountpoint = line.slice(line.indexOf(' /') + 1);
        const [blockBytes = 0, blocks = 0, available = 0, files = 0, filesFree = 0] = line
          .slice(0, line.indexOf(' /'))
          .split(' ')
          .map(Number);
        const space = { sizeBytes: blocks * blockBytes, availableBytes: available * blockBytes, files, filesFree };
        return [mountpoint, space];
      }),
    );
  }

  override async statfs(mountpoint: string, _kind: MountKind): Promise<FileSystemSpace> {
    const space = this.#spaces.get(mountpoint);
    if (space === undefined) throw createAbsentError(mountpoint);
    return space;
  }
}

/** Indexes readings by series and labels, as `cpu.usage_percent{core=all}`; throws for a duplicate series. */
export function indexByIdentity(readings: readonly Reading[]): Record<string, number | string> {
  const values: Record<string, number | string> = {};
  for (const { series, labels, value } of readings) {
    const pairs = Object.entries(labels).map(([name, label]) => `${name}=${label}`);
    const identity = pairs.length === 0 ? series.name : `${series.name}{${pairs.join(',')}}`;
    if (identity in values) throw new Error(`${identity} was read twice`);
    // Nothing that the kernel has is the end of a series.
    values[identity] = value as number | string;
  }
  return values;
}

/** Lets a collector scrape several texts of one file, ten seconds apart, and returns the readings of the last scrape. */
export async function scrapeTexts(collector: Collector, kernel: TextKernel, path: string, texts: readonly string[]) {
  let readings: readonly Reading[] = [];
  for (const [index, text] of texts.entries()) {
    kernel.files.set(path, text);
    readings = await collector.collect({ monotonicMs: 5_000 + index * 10_000 });
  }
  return indexByIdentity(readings);
}
