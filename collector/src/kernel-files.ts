import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { AgentError, codeOf, messageOf } from '@thugshells/shared/errors.js';

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
}

/** No file that a collector reads comes near: /proc/stat of a machine with 1,024 cores has about 150 KiB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Holds every file of a small board in one read; procfs gives all sizes as 0, so it cannot be asked. */
const FIRST_BUFFER_BYTES = 16 * 1024;

/** Codes (as Node names them) that mean "this kernel, or this board at this moment, has no such source". */
const absentReasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file: the kernel was built without it, or the device has gone',
  ENOTDIR: 'a part of the path is a file: another kernel keeps a directory there',
  ENODEV: 'sysfs still shows the attribute of a device that has just been removed',
  ENXIO: 'the driver has the attribute, but nothing is plugged in behind it',
  ENOTSUP: 'the kernel was built with it and booted with it off, as older ones answer for /proc/pressure',
};

/** The only door to /proc and /sys; what lies behind it may be another root, such as /host/proc or a recording. */
export class KernelFiles implements KernelSource {
  readonly #procRoot: string;
  readonly #sysRoot: string;

  constructor(roots: { readonly procRoot: string; readonly sysRoot: string }) {
    this.#procRoot = roots.procRoot;
    this.#sysRoot = roots.sysRoot;
  }

  proc(relativePath: string): Promise<string> {
    return readText(join(this.#procRoot, relativePath));
  }

  sys(relativePath: string): Promise<string> {
    return readText(join(this.#sysRoot, relativePath));
  }

  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    const path = join(this.#sysRoot, relativeDirectory);
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      throw kernelFileFault(path, error);
    }
  }
}

/** What a failed read means, by the code of its error: KERNEL_FILE_ABSENT or KERNEL_FILE_UNREADABLE. */
export function kernelFileFault(path: string, cause: unknown): AgentError {
  const code = codeOf(cause) ?? '';
  if (Object.hasOwn(absentReasons, code)) {
    return new AgentError(`${path} is absent: ${absentReasons[code]}`, { code: 'KERNEL_FILE_ABSENT', cause });
  }
  return new AgentError(`cannot read ${path}: ${messageOf(cause)}`, {
    code: 'KERNEL_FILE_UNREADABLE',
    hint: `Let the collector's user read ${path}; PROC_ROOT and SYS_ROOT must be a procfs and a sysfs.`,
    cause,
  });
}

/** The error for a kernel file whose text is not what the kernel documents; `what` names the line and the fault. */
export function malformed(path: string, what: string): AgentError {
  return new AgentError(`${path}: ${what}`, {
    code: 'KERNEL_FILE_MALFORMED',
    hint: `Look at ${path}; if this kernel really writes it so, report it together with its text and \`uname -a\`.`,
  });
}

/** The outcome of a read, or `instead` where this kernel or board does not have the source; other faults pass. */
export async function whereAbsent<Text, Other>(read: Promise<Text>, instead: Other): Promise<Text | Other> {
  try {
    return await read;
  } catch (error) {
    if (codeOf(error) === 'KERNEL_FILE_ABSENT') return instead;
    throw error;
  }
}

/** Reads on Node's thread pool: a file that hangs, as its driver waits, holds a thread but not the event loop. */
async function readText(path: string): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBounded(path);
  } catch (error) {
    throw kernelFileFault(path, error);
  }
  if (bytes === undefined) throw malformed(path, `too large, more than ${MAX_FILE_BYTES} bytes`);
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
