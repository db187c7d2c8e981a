import { openForeignFile } from '@thugshells/shared/database/foreign-files.ts';

import { decodeKernelText } from './decode-text.ts';
import { createMalformedError, toKernelFileError } from './kernel-file-errors.ts';

/** No file that a collector reads comes near: /proc/stat of a machine with 1,024 cores has about 150 KiB. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Holds every file of a small device in one read; procfs reports all sizes as 0. */
export const FIRST_BUFFER_BYTES = 16 * 1024;

/** Reads a file on Node's thread pool; throws as `KernelSource.proc` does. */
export async function readText(path: string): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBounded(path);
  } catch (error) {
    throw toKernelFileError(path, error);
  }
  return decodeText(path, bytes);
}

/** Decodes the bytes of a file; undefined stands for more than MAX_FILE_BYTES. */
export function decodeText(path: string, bytes: Buffer | undefined): string {
  if (bytes === undefined) throw createMalformedError(path, `more than ${MAX_FILE_BYTES} bytes`);
  return decodeKernelText(bytes);
}

/** Returns the bytes of a file, or undefined if they are more than MAX_FILE_BYTES. A short read does not mean its end. */
async function readBounded(path: string): Promise<Buffer | undefined> {
  // Below a root that is no procfs or sysfs there may be any file, also one of the database.
  const file = await openForeignFile(path);
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
