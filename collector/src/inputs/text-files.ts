import { constants } from 'node:fs';
import { open, opendir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

/** One text file as it was at one moment. */
export interface TextFile {
  readonly bytes: Buffer;
  /** When it was written last, Unix milliseconds. */
  readonly mtimeMs: number;
}

/** The files of the directory. */
export interface TextFileListing {
  /** Sorted. */
  readonly names: readonly string[];
  /** Whether the directory has so many entries that not all were looked at. */
  readonly isTruncated: boolean;
}

/** Entries of the directory that are looked at; each of a hundred times as many as anybody has. */
const MAX_ENTRIES = 20_000;
/** A file that changes while it is read is read again; one that changes all the time is not written as it should be. */
const ATTEMPTS = 3;
const RENAME_HINT =
  'Write to a file of another name in the same file system and rename it: `script > x.prom.$$ && mv x.prom.$$ x.prom`.';

/** The one door of the collector `textfile`: the `*.prom` files of a directory, read whole or not at all. */
export class TextFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The path of a file, as it is told. */
  toPath(name: string): string {
    return join(this.#directory, name);
  }

  /** @throws AgentError TEXTFILE_UNREADABLE where the directory cannot be read */
  async list(): Promise<TextFileListing> {
    const names: string[] = [];
    let entries = 0;
    try {
      // Closed by the loop, however it ends.
      for await (const { name } of await opendir(this.#directory, { bufferSize: 256 })) {
        entries += 1;
        if (entries > MAX_ENTRIES) break;
        if (name.endsWith('.prom')) names.push(name);
      }
    } catch (error) {
      throw createUnreadableError(this.#directory, error);
    }
    return { names: names.sort(), isTruncated: entries > MAX_ENTRIES };
  }

  /**
   * A file's bytes, or undefined where it has gone since it was listed.
   *
   * @throws AgentError TEXTFILE_UNREADABLE for what cannot be read, is no file, is too large, or is being written
   */
  async read(name: string, maxBytes: number): Promise<TextFile | undefined> {
    const path = this.toPath(name);
    try {
      // Asked before it is opened: to open a device may do something.
      requireFile(path, await stat(path));
      // A pipe may have taken its place meanwhile, which would make us wait for a writer.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      try {
        return await readWhole(file, path, maxBytes);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof AgentError) throw error;
      if (toErrorCode(error) === 'ENOENT') return undefined;
      throw createUnreadableError(path, error);
    }
  }
}

async function readWhole(file: FileHandle, path: string, maxBytes: number): Promise<TextFile> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await file.stat();
    requireFile(path, before);
    if (before.size > maxBytes) throw createTooLargeError(path, before.size, maxBytes);
    const buffer = Buffer.allocUnsafe(before.size + 1);
    let length = 0;
    for (let bytesRead = -1; bytesRead !== 0 && length < buffer.length; length += bytesRead) {
      ({ bytesRead } = await file.read(buffer, length, buffer.length - length, length));
    }
    const after = await file.stat();
    if (length === before.size && after.size === before.size && after.mtimeMs === before.mtimeMs) {
      return { bytes: buffer.subarray(0, length), mtimeMs: before.mtimeMs };
    }
  }
  throw new AgentError(`${path}: it is being written while it is read`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: RENAME_HINT,
  });
}

function requireFile(path: string, found: { isFile(): boolean }): void {
  if (found.isFile()) return;
  throw new AgentError(`${path}: not a regular file`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'Remove it; text files are plain files, or links to them.',
  });
}

function createTooLargeError(path: string, bytes: number, maxBytes: number): AgentError {
  return new AgentError(`${path}: ${bytes} bytes where there is room for ${maxBytes}`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'Let its script write less, or remove what it has left behind.',
  });
}

function createUnreadableError(path: string, cause: unknown): AgentError {
  return new AgentError(`cannot read ${path}: ${toErrorMessage(cause)}`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: `Let the collector's user read ${path}; THUGSHELLS_TEXTFILE_DIR names the directory.`,
    cause,
  });
}
