import { closeSync, existsSync, openSync, read, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { readdir, readlink, stat, statfs } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';

import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';

import { HostFiles, type HostSource } from './host-files.ts';
import { toKernelFileError } from './kernel-file-errors.ts';
import type { KernelSource } from './kernel-source.ts';
import { MountSpace, type MountKind, type FileSystemSpace } from './mount-space.ts';
import { decodeText, FIRST_BUFFER_BYTES, MAX_FILE_BYTES, readText } from './read-text.ts';
import { RemoteStatfs } from './remote-statfs.ts';

export type { KernelSource } from './kernel-source.ts';
export type { MountKind, FileSystemSpace } from './mount-space.ts';

/** Values of f_type of statfs(2) (include/uapi/linux/magic.h). */
const PROC_SUPER_MAGIC = 0x9fa0;
const SYSFS_MAGIC = 0x62656572;
/** Control groups, of version 1 and 2: like procfs, the kernel creates their files from its memory. */
const CGROUP_MAGICS = [0x27e0eb, 0x63677270];
/**
 * Attributes of sysfs that the kernel has in memory, and reads without the lock of the network (net/core/net-sysfs.c) and
 * without asking the disk (drivers/scsi/scsi_sysfs.c, fs/ext4/sysfs.c).
 */
const IN_MEMORY =
  /^class\/net\/[^/]+\/(operstate|carrier_changes)$|^block\/[^/]+\/device\/ioerr_cnt$|^fs\/ext4\/[^/]+\/errors_count$/;
/** Paths of processes below /proc. */
const OF_PROCESS = /^[0-9]+\//;
/** Paths whose type is remembered; interfaces that come and go have others each time. */
const MAX_TYPES = 5000;

/** Where the file systems of a kernel are mounted. */
export interface KernelRoots {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly hostRoot?: string;
}

/**
 * The only adapter of /proc and /sys. The roots may be others, such as /host/proc in a container or a recording.
 *
 * Files of procfs, directories and links of sysfs are read synchronously: the kernel creates them from its memory, no device is
 * involved, and the calls cannot hang. On Node's thread pool a small file costs 10 to 25 times the CPU time (open, two
 * reads and close are four trips to a thread and back), a directory 8 times, which was most of the cost of a scrape. Read
 * synchronously, the first four collectors take a quarter to a seventh of the time when scraped one after the other, and
 * about half with cold caches.
 *
 * Everything else is read on the pool, so that a call that hangs occupies a thread and not the event loop: files of
 * sysfs, which may read a sensor on a slow bus; statfs; and files of any other file system below the roots, such as
 * lxcfs, a program that provides a /proc/stat to containers. In sysfs only the read can wait for a device: it alone runs
 * on a thread, while open and close are synchronous, which takes a third of the time.
 */
export class KernelFiles implements KernelSource {
  readonly #procRoot: string;
  readonly #sysRoot: string;
  readonly #remote = new RemoteStatfs();
  readonly #mounts = new MountSpace({ local: statfs, remote: (path) => this.#remote.statfs(path) });
  /** The f_type by path, once known: mounts below the roots do not change while the collector runs. */
  readonly #types = new Map<string, number>();
  /** Shared by all synchronous reads. */
  #buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES);

  readonly host: HostSource;

  /** Without `hostRoot` there are no files of the host. */
  constructor({ procRoot, sysRoot, hostRoot = '' }: KernelRoots) {
    this.#procRoot = procRoot;
    this.#sysRoot = sysRoot;
    this.host = new HostFiles(hostRoot);
  }

  async proc(relativePath: string): Promise<string> {
    const path = join(this.#procRoot, relativePath);
    const type = await this.#findProcType(relativePath);
    return type === PROC_SUPER_MAGIC ? this.#readSynchronously(path) : readText(path);
  }

  async procEntries(relativeDirectory: string): Promise<readonly string[]> {
    return readNames(join(this.#procRoot, relativeDirectory), false);
  }

  async procEntryCount(relativeDirectory: string): Promise<number> {
    const path = join(this.#procRoot, relativeDirectory);
    const isProc = (await this.#findProcType(relativeDirectory)) === PROC_SUPER_MAGIC;
    return (isProc && readEntryCount(path)) || (await readNames(path, false)).length;
  }

  async sys(relativePath: string): Promise<string> {
    const path = join(this.#sysRoot, relativePath);
    const type = this.#types.get(path) ?? (await this.#findType(path));
    if (CGROUP_MAGICS.includes(type) || (type === SYSFS_MAGIC && IN_MEMORY.test(relativePath)))
      return this.#readSynchronously(path);
    return type === SYSFS_MAGIC ? readAttribute(path) : readText(path);
  }

  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    const path = join(this.#sysRoot, relativeDirectory);
    const type = this.#types.get(path) ?? (await this.#findType(path));
    return (await readNames(path, isInMemory(type))).sort();
  }

  async sysLink(relativePath: string): Promise<string | undefined> {
    const path = join(this.#sysRoot, relativePath);
    const directory = dirname(path); // The link may lead to nothing.
    const type = this.#types.get(directory) ?? (await this.#findType(directory));
    try {
      const target = isInMemory(type) ? readlinkSync(path) : await readlink(path);
      return relative(resolve(this.#sysRoot), resolve(directory, target));
    } catch (error) {
      if (toErrorCode(error) === 'EINVAL') return undefined;
      throw toKernelFileError(path, error);
    }
  }

  async sysInode(relativeDirectory: string): Promise<number> {
    const path = join(this.#sysRoot, relativeDirectory);
    const type = this.#types.get(path) ?? (await this.#findType(path));
    try {
      return (isInMemory(type) ? statSync(path) : await stat(path)).ino;
    } catch (error) {
      throw toKernelFileError(path, error);
    }
  }

  async statfs(mountpoint: string, kind: MountKind): Promise<FileSystemSpace> {
    try {
      return await this.#mounts.read(mountpoint, kind);
    } catch (error) {
      throw error instanceof AgentError ? error : toKernelFileError(mountpoint, error);
    }
  }

  close(): void {
    this.#remote.close();
  }

  /** Asks for the type of the root instead of that of a process's file: the kernel alone has those, and they come and go. */
  async #findProcType(relativePath: string): Promise<number> {
    const path = OF_PROCESS.test(relativePath) ? this.#procRoot : join(this.#procRoot, relativePath);
    return this.#types.get(path) ?? (await this.#findType(path));
  }

  async #findType(path: string): Promise<number> {
    try {
      const { type } = await statfs(path);
      if (this.#types.size >= MAX_TYPES) this.#types.clear();
      this.#types.set(path, type);
      return type;
    } catch (error) {
      throw toKernelFileError(path, error);
    }
  }

  #readSynchronously(path: string): string {
    let length: number | undefined;
    try {
      length = this.#fillBuffer(path);
    } catch (error) {
      throw toKernelFileError(path, error);
    }
    return decodeText(path, length === undefined ? undefined : this.#buffer.subarray(0, length));
  }

  /** Reads a file into the buffer, as `readBounded` does, and returns its length. */
  #fillBuffer(path: string): number | undefined {
    const file = openSync(path, 'r');
    try {
      for (let length = 0; length <= MAX_FILE_BYTES;) {
        if (length === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], length * 2);
        const bytesRead = readSync(file, this.#buffer, length, this.#buffer.length - length, null);
        if (bytesRead === 0) return length;
        length += bytesRead;
      }
      return undefined;
    } finally {
      closeSync(file);
    }
  }
}

/**
 * Rejects a proc root without `stat`, the file that every kernel has. With a wrong root each collector would find its
 * file absent, as on a kernel that was built without it: the program would collect nothing and report that it is well.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function requireProcRoot(procRoot: string): void {
  if (existsSync(join(procRoot, 'stat'))) return;
  throw new AgentError(`cannot use THUGSHELLS_PROC_ROOT=${procRoot}: it has no file "stat"`, {
    code: 'BAD_CONFIGURATION',
    hint: 'set THUGSHELLS_PROC_ROOT to the path of a procfs: /proc, or the path of the host’s in a container',
  });
}

/** Whether directories and links of a file system are read without waiting for a device. */
function isInMemory(type: number): boolean {
  return type === SYSFS_MAGIC || CGROUP_MAGICS.includes(type);
}

async function readNames(path: string, isSynchronous: boolean): Promise<string[]> {
  try {
    return isSynchronous ? readdirSync(path) : await readdir(path);
  } catch (error) {
    throw toKernelFileError(path, error);
  }
}

/**
 * Returns the size of a directory of procfs: 0, but for `fd` of a process, from Linux 6.2 on, the number of descriptors. Other users
 * may know that, and not the names.
 */
function readEntryCount(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw toKernelFileError(path, error);
  }
}

const readOnPool = promisify(read);

/** Reads a file of sysfs: the kernel creates its text, a page at most, at the first read (filesystems/sysfs.rst). */
async function readAttribute(path: string): Promise<string> {
  const buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  const length = await fillFromAttribute(path, buffer).catch((error: unknown) => {
    throw toKernelFileError(path, error);
  });
  // With pages larger than the buffer there may be more.
  return length === buffer.length ? readText(path) : decodeText(path, buffer.subarray(0, length));
}

async function fillFromAttribute(path: string, buffer: Buffer): Promise<number> {
  const file = openSync(path, 'r');
  try {
    return (await readOnPool(file, buffer, 0, buffer.length, null)).bytesRead;
  } finally {
    closeSync(file);
  }
}
