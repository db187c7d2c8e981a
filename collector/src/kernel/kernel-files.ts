import { closeSync, existsSync, openSync, read, readdirSync, readSync } from 'node:fs';
import { open, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

import { MountSpace, type MountKind, type FileSystemSpace } from './mount-space.ts';
import { RemoteStatfs } from './remote-statfs.ts';

export type { MountKind, FileSystemSpace } from './mount-space.ts';

/** Where collectors read: the files below /proc and /sys, of a real kernel or of a simulated one. */
export interface KernelSource {
  /**
   * The text of a file below /proc, such as `net/dev`.
   *
   * @throws AgentError KERNEL_FILE_ABSENT, KERNEL_FILE_UNREADABLE, or KERNEL_FILE_MALFORMED if it is too large
   */
  proc(relativePath: string): Promise<string>;
  /** The text of a file below /sys, such as `block/sda/queue/logical_block_size`; throws as `proc` does. */
  sys(relativePath: string): Promise<string>;
  /** The sorted names in a directory below /sys, such as `block`; throws as `proc` does. */
  sysEntries(relativeDirectory: string): Promise<readonly string[]>;
  /**
   * The space of the file system mounted at an absolute path. To be asked for one after the other.
   *
   * @throws AgentError KERNEL_FILE_HUNG if it does not answer, else as `proc` does
   */
  statfs(mountpoint: string, kind: MountKind): Promise<FileSystemSpace>;
  /** Gives up on what still waits for an answer. */
  close?(): void;
}

/** No file that a collector reads comes near: /proc/stat of a machine with 1,024 cores has about 150 KiB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Holds every file of a small board in one read; procfs gives all sizes as 0, so it cannot be asked. */
const FIRST_BUFFER_BYTES = 16 * 1024;
/** What statfs(2) tells as f_type (include/uapi/linux/magic.h). */
const PROC_SUPER_MAGIC = 0x9fa0;
const SYSFS_MAGIC = 0x62656572;

/** Codes (as Node names them) that mean "this kernel, or this board at this moment, has no such source". */
const absentReasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file: the kernel was built without it, or the device has gone',
  ENOTDIR: 'a part of the path is a file: another kernel keeps a directory there',
  ENODEV: 'sysfs still shows the attribute of a device that has just been removed',
  ENXIO: 'the driver has the attribute, but nothing is plugged in behind it',
  EBUSY: 'the kernel keeps the attribute of a device that is switched off, such as a core',
  ENOTSUP: 'the kernel was built with it and booted with it off, as older ones answer for /proc/pressure',
};

/**
 * The only door to /proc and /sys; what lies behind it may be another root, such as /host/proc or a recording.
 *
 * Files of procfs and directories of sysfs are read synchronously: the kernel makes them from its memory, no device is
 * asked, and they cannot hang. On Node's thread pool a small file costs 10 to 25 times the processor time (opening, two
 * reads and closing are four trips to a thread and back), a directory 8 times, which was most of what a scrape cost: of
 * the first four collectors it takes a quarter to a seventh now, one after the other, and about half with cold caches.
 * Everything else is read on the pool, where what hangs holds a thread but not the event loop: files of sysfs, behind
 * which are sensors on slow buses; statfs; and whatever lies below the roots without being a procfs or sysfs, such as
 * lxcfs, a program that gives containers a /proc/stat of their own. Of a file of sysfs only the read can wait for a
 * device: it is one trip to a thread, and opening and closing are done at once, which takes a third of the time.
 */
export class KernelFiles implements KernelSource {
  readonly #procRoot: string;
  readonly #sysRoot: string;
  readonly #remote = new RemoteStatfs();
  readonly #mounts = new MountSpace({ local: statfs, remote: (path) => this.#remote.statfs(path) });
  /** The f_type of each path, once known: what is mounted there changes before a collector starts, if ever. */
  readonly #types = new Map<string, number>();
  /** Used by one synchronous read after the other. */
  #buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES);

  constructor({ procRoot, sysRoot }: { readonly procRoot: string; readonly sysRoot: string }) {
    this.#procRoot = procRoot;
    this.#sysRoot = sysRoot;
  }

  async proc(relativePath: string): Promise<string> {
    const path = join(this.#procRoot, relativePath);
    const type = this.#types.get(path) ?? (await this.#findType(path));
    return type === PROC_SUPER_MAGIC ? this.#readSynchronously(path) : readText(path);
  }

  async sys(relativePath: string): Promise<string> {
    const path = join(this.#sysRoot, relativePath);
    const type = this.#types.get(path) ?? (await this.#findType(path));
    return type === SYSFS_MAGIC ? readAttribute(path) : readText(path);
  }

  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    const path = join(this.#sysRoot, relativeDirectory);
    const type = this.#types.get(path) ?? (await this.#findType(path));
    try {
      return (type === SYSFS_MAGIC ? readdirSync(path) : await readdir(path)).sort();
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

  async #findType(path: string): Promise<number> {
    try {
      const { type } = await statfs(path);
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

  /** As `readBounded` does, into the buffer. */
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
 * Refuses a proc root without the file that every kernel has. With a wrong root each collector would take its own for
 * one that this kernel was built without, and the program would collect nothing in the best of health.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function requireProcRoot(procRoot: string): void {
  if (existsSync(join(procRoot, 'stat'))) return;
  throw new AgentError(`THUGSHELLS_PROC_ROOT=${procRoot}: no file "stat" can be seen there`, {
    code: 'BAD_CONFIGURATION',
    hint: 'It must be where a procfs is mounted: /proc, or in a container where the host’s is.',
  });
}

/** What a failed read means, by the code of its error: KERNEL_FILE_ABSENT or KERNEL_FILE_UNREADABLE. */
export function toKernelFileError(path: string, cause: unknown): AgentError {
  const code = toErrorCode(cause) ?? '';
  if (Object.hasOwn(absentReasons, code)) {
    return new AgentError(`${path} is absent: ${absentReasons[code]}`, { code: 'KERNEL_FILE_ABSENT', cause });
  }
  return new AgentError(`cannot read ${path}: ${toErrorMessage(cause)}`, {
    code: 'KERNEL_FILE_UNREADABLE',
    hint: `Let the collector's user read ${path}; PROC_ROOT and SYS_ROOT must be a procfs and a sysfs.`,
    cause,
  });
}

/** The error for a kernel file whose text is not what the kernel documents; `what` names the line and the fault. */
export function createMalformedError(path: string, what: string): AgentError {
  return new AgentError(`${path}: ${what}`, {
    code: 'KERNEL_FILE_MALFORMED',
    hint: `Look at ${path}; if this kernel really writes it so, report it together with its text and \`uname -a\`.`,
  });
}

/** The outcome of a read, or `instead` where this kernel or board does not have the source; other faults pass. */
export async function readOptional<Text, Other>(read: Promise<Text>, instead: Other): Promise<Text | Other> {
  try {
    return await read;
  } catch (error) {
    if (toErrorCode(error) === 'KERNEL_FILE_ABSENT') return instead;
    throw error;
  }
}

const readOnPool = promisify(read);

/** Reads a file of sysfs: the kernel makes its text, of a page at most, at the first read (filesystems/sysfs.rst). */
async function readAttribute(path: string): Promise<string> {
  const buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  const length = await fillFromAttribute(path, buffer).catch((error: unknown) => {
    throw toKernelFileError(path, error);
  });
  // Where pages are larger than the buffer, there may be more.
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

/** Reads on Node's thread pool. */
async function readText(path: string): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBounded(path);
  } catch (error) {
    throw toKernelFileError(path, error);
  }
  return decodeText(path, bytes);
}

/** Undefined stands for more bytes than may be. */
function decodeText(path: string, bytes: Buffer | undefined): string {
  if (bytes === undefined) throw createMalformedError(path, `too large, more than ${MAX_FILE_BYTES} bytes`);
  return bytes.toString('utf8');
}

/** The bytes of a file up to its end, or undefined once they are too many; a short read does not mean the end. */
async function readBounded(path: string): Promise<Buffer | undefined> {
  const file = await open(path, 'r');
  try {
    let buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    let length = 0;
    while (length <= MAX_FILE_BYTES) {
      if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
    }
    return undefined;
  } finally {
    await file.close();
  }
}
