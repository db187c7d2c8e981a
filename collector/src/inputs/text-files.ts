import { lstat, opendir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { openForeignFile } from '@thugshells/shared/database/foreign-files.ts';
import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

/** A text file at one time. */
export interface TextFile {
  readonly bytes: Buffer;
  /** Last modification, Unix milliseconds. */
  readonly mtimeMs: number;
}

/** The `*.prom` files of the directory. */
export interface TextFileListing {
  /** Sorted. */
  readonly names: readonly string[];
  /** Whether the directory has more than MAX_ENTRIES entries, so that some were not examined. */
  readonly isTruncated: boolean;
}

/** Entries of the directory that are examined: a hundred times those of a usual one. */
const MAX_ENTRIES = 20_000;
/** Reads of a file that changes while it is read. */
const MAX_ATTEMPTS = 3;
const RENAME_HINT =
  'write to another file in the same file system and rename it: script > x.prom.$$ && mv x.prom.$$ x.prom';

/** Reads the `*.prom` files of a directory, for the collector `textfile`. */
export class TextFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Returns the path of a file, for labels and errors. */
  toPath(name: string): string {
    return join(this.#directory, name);
  }

  /** @throws AgentError TEXTFILE_UNREADABLE if the directory cannot be read */
  async list(): Promise<TextFileListing> {
    const names: string[] = [];
    let entries = 0;
    try {
      // The loop closes the directory, however it ends.
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
   * Reads a file; returns undefined if it was removed since it was listed.
   *
   * @throws AgentError TEXTFILE_UNREADABLE if it cannot be read, is not a regular file, is a link to nothing, is too large, or
   *   keeps changing
   */
  async read(name: string, maxBytes: number): Promise<TextFile | undefined> {
    const path = this.toPath(name);
    try {
      const file = await openForeignFile(path, (found) => requireFile(path, found));
      try {
        return await readWhole(file, path, maxBytes);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (toErrorCode(error) === 'DATABASE_FILE') throw createDatabaseFileError(path, error);
      if (error instanceof AgentError) throw error;
      if (toErrorCode(error) === 'ENOENT') return requireRemoved(path);
      throw createUnreadableError(path, error);
    }
  }
}

async function readWhole(file: FileHandle, path: string, maxBytes: number): Promise<TextFile> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const before = await file.stat();
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
  throw new AgentError(`cannot read ${path}: it changes while it is read`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: RENAME_HINT,
  });
}

function requireFile(path: string, found: { isFile(): boolean }): void {
  if (found.isFile()) return;
  throw new AgentError(`cannot read ${path}: not a regular file`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'remove it: text files must be regular files or links to them',
  });
}

/** What a name has in place of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * Returns undefined if a file that does not exist was removed since it was listed.
 *
 * @throws AgentError TEXTFILE_UNREADABLE if its name is there
 */
async function requireRemoved(path: string): Promise<undefined> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry?.isSymbolicLink() === true) {
    throw new AgentError(`cannot read ${path}: it is a link to a file that does not exist`, {
      code: 'TEXTFILE_UNREADABLE',
      hint: 'remove the link, or create the file that it names',
    });
  }
  if (entry === undefined && path.includes(REPLACEMENT)) {
    throw new AgentError(`cannot read ${path}: its name is not UTF-8`, {
      code: 'TEXTFILE_UNREADABLE',
      hint: 'rename it',
    });
  }
  return undefined;
}

/** Somebody who may write to the directory has linked it: to read it would drop the locks of the database. */
function createDatabaseFileError(path: string, cause: unknown): AgentError {
  return new AgentError(`cannot read ${path}: ${toErrorMessage(cause)}`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'remove it, and check who may write to THUGSHELLS_TEXTFILE_DIR: text files must not be links to a database',
    cause,
  });
}

function createTooLargeError(path: string, bytes: number, maxBytes: number): AgentError {
  return new AgentError(`cannot read ${path}: ${bytes} bytes, the limit is ${maxBytes}`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: 'let its script write fewer series, or remove files that no script writes any more',
  });
}

function createUnreadableError(path: string, cause: unknown): AgentError {
  return new AgentError(`cannot read ${path}: ${toErrorMessage(cause)}`, {
    code: 'TEXTFILE_UNREADABLE',
    hint: `let the collector's user read ${path}, or correct THUGSHELLS_TEXTFILE_DIR`,
    cause,
  });
}
