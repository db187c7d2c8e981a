import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  constants,
  type BigIntStats,
} from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { platform } from 'node:process';

import { AgentError, toErrorCode, toErrorMessage } from '../errors.ts';
import { findDatabaseOf } from './database-files.ts';

/**
 * open(2)'s O_PATH, which Node does not name: a descriptor that stands for a file without having opened it. Closing one
 * drops no lock. The value is that of x64 and arm64.
 */
const O_PATH = 0o10000000;
const DESCRIPTORS = '/proc/self/fd';
const FLAGS = constants.O_RDONLY | constants.O_NOCTTY;

/**
 * Opens a file that somebody else wrote for reading, unless it is one of a database of this process under another name: to
 * open and close that one would drop SQLite's locks (database-files.ts).
 *
 * Between the look at a name and open(2) the name may become another file's. On Linux the file is therefore held by an
 * O_PATH descriptor, examined, and opened by that descriptor.
 *
 * @param examine may refuse a file by an error before it is opened: to open a device may have an effect
 * @throws AgentError DATABASE_FILE
 * @throws Error the system's, if it cannot be opened
 */
export async function openForeignFile(path: string, examine?: (stats: BigIntStats) => void): Promise<FileHandle> {
  if (platform !== 'linux') {
    requireForeign(await stat(path, { bigint: true }), examine);
    return open(path, FLAGS);
  }
  const named = await open(path, O_PATH);
  try {
    requireForeign(await named.stat({ bigint: true }), examine);
    return await open(`${DESCRIPTORS}/${named.fd}`, FLAGS).catch((error: unknown) => {
      throw toErrorOf(path, error);
    });
  } finally {
    await named.close();
  }
}

/** Reads a file that somebody else wrote, as openForeignFile() opens it. */
export function readForeignFileSync(path: string): string {
  if (platform !== 'linux') {
    requireForeign(statSync(path, { bigint: true }));
    return readFileSync(path, 'utf8');
  }
  const named = openSync(path, O_PATH);
  try {
    requireForeign(fstatSync(named, { bigint: true }));
    return readFileSync(`${DESCRIPTORS}/${named}`, 'utf8');
  } catch (error) {
    throw toErrorOf(path, error);
  } finally {
    closeSync(named);
  }
}

function requireForeign(stats: BigIntStats, examine?: (stats: BigIntStats) => void): void {
  examine?.(stats);
  const database = findDatabaseOf(stats);
  if (database === undefined) return;
  throw new AgentError(`it is a file of the database ${database}`, {
    code: 'DATABASE_FILE',
    hint: 'name another file: reading this one would drop the locks of the database',
  });
}

/** Converts an error of the second open(2), which names the descriptor, to one that names the file. */
function toErrorOf(path: string, error: unknown): unknown {
  if (error instanceof AgentError) return error;
  if (!existsSync(DESCRIPTORS)) return new Error(`${DESCRIPTORS} is missing: mount a procfs at /proc`);
  const message = toErrorMessage(error).replace(/\/proc\/self\/fd\/\d+/, path);
  return Object.assign(new Error(message, { cause: error }), { code: toErrorCode(error) });
}
