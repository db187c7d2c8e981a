import { statSync } from 'node:fs';

import { findReplacedFiles, readDatabaseFileIds, type DatabaseFileIds } from './file-ids.ts';
import type { Database, Statement } from './open.ts';

/** What another program has done to the files of the open database. */
export type Disturbance =
  /** One of them is gone, or another file has its name; named by its suffix. The open ones still have everything. */
  | { readonly kind: 'taken away'; readonly suffixes: readonly string[] }
  /** Something wrote to the database file, past SQLite: what is cached of it may not be in it any more. */
  | { readonly kind: 'written to' }
  /** The WAL is shorter than SQLite knows it. */
  | { readonly kind: 'WAL cut' };

/** The database file, which changes only when the WAL is checkpointed, and how far that is. */
interface FileState {
  readonly bytes: bigint;
  readonly modifiedNs: bigint;
  readonly walBytes: bigint;
  /** Frames in the WAL, and how many of them have been checkpointed; 0 again after a checkpoint of all of them. */
  readonly frames: number;
  readonly checkpointed: number;
}

/** SQLite's file format, sections 4.1 and 4.2: the header of a WAL, and of each of its frames. */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/**
 * Watches the files of the open database from outside of SQLite, which keeps its descriptors and never looks at the names
 * again: whoever removes or replaces the files makes a program write where nobody will read.
 *
 * By stat(2) only: opening and closing a file would drop SQLite's locks. A WAL checkpoint that another program makes through
 * SQLite is no disturbance.
 */
export class FileWatch {
  readonly #path: string;
  readonly #ids: DatabaseFileIds | undefined;
  readonly #frameBytes: number;
  /** Reads how far the WAL is; writes nothing. */
  readonly #progress: Statement<[], { readonly log: number; readonly checkpointed: number }>;
  #state: FileState | undefined;
  /** The state before the first change that no WAL checkpoint has explained yet. */
  #unexplainedSince: FileState | undefined;
  #isUnexplained = false;
  #isWalCut = false;
  /** Whether something was written to the file before this process wrote to it. */
  #wasWritten = false;

  /** @param database that has just been opened */
  constructor(path: string, database: Database) {
    this.#path = path;
    this.#ids = readDatabaseFileIds(path);
    this.#frameBytes = FRAME_HEADER_BYTES + (database.pragma('page_size', { simple: true }) as number);
    this.#progress = database.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#state = this.#read();
  }

  /** The ids of the files that this process has open; undefined if they could not be found out. */
  get ids(): DatabaseFileIds | undefined {
    return this.#ids;
  }

  /** Returns what was done to the files since the last call; undefined if nothing was. */
  look(): Disturbance | undefined {
    const suffixes = this.#findTakenAway();
    if (suffixes.length > 0) return { kind: 'taken away', suffixes };
    const before = this.#state;
    const now = this.#read() ?? before;
    this.#state = now;
    if (this.#isNewlyCut(now)) return { kind: 'WAL cut' };
    const isWritten = this.#wasWritten || !isExplained(before, now);
    this.#isUnexplained ||= this.#wasWritten;
    this.#wasWritten = false;
    if (isWritten) this.#unexplainedSince ??= before;
    if (isExplained(this.#unexplainedSince, now)) this.#unexplainedSince = undefined;
    return isWritten ? { kind: 'written to' } : undefined;
  }

  /**
   * Judges what was written, once the file is quiet: whether a WAL checkpoint of another program explains it. What nothing
   * explains stays so. A checkpoint writes first and counts its frames at its end, so that a look in between finds it
   * unexplained.
   */
  isCheckpointed(): boolean {
    this.#isUnexplained ||= this.#unexplainedSince !== undefined;
    this.#unexplainedSince = undefined;
    return !this.#isUnexplained;
  }

  /** Runs what this process itself writes to the files; what was written before stays a disturbance. */
  whileWriting<T>(write: () => T): T {
    this.#wasWritten ||= !isExplained(this.#state, this.#read());
    try {
      return write();
    } finally {
      this.#state = this.#read() ?? this.#state;
    }
  }

  #findTakenAway(): string[] {
    const now = readDatabaseFileIds(this.#path);
    if (now === undefined || this.#ids === undefined) return [];
    return findReplacedFiles(this.#ids, now);
  }

  #isNewlyCut(now: FileState | undefined): boolean {
    const wasCut = this.#isWalCut;
    const { frames = 0, walBytes = 0n } = now ?? {};
    this.#isWalCut = frames > 0 && walBytes < WAL_HEADER_BYTES + frames * this.#frameBytes;
    return this.#isWalCut && !wasCut;
  }

  /** Returns undefined where it cannot be read: nothing is known then. */
  #read(): FileState | undefined {
    try {
      // Before the size of the WAL, which grows.
      const { log: frames, checkpointed } = this.#progress.get()!;
      const status = statSync(this.#path, { bigint: true });
      const wal = statSync(`${this.#path}-wal`, { throwIfNoEntry: false, bigint: true });
      return { bytes: status.size, modifiedNs: status.mtimeNs, walBytes: wal?.size ?? 0n, frames, checkpointed };
    } catch {
      return undefined;
    }
  }
}

/** Whether the file is unchanged, or a WAL checkpoint has changed it. */
function isExplained(before: FileState | undefined, now: FileState | undefined): boolean {
  if (before === undefined || now === undefined) return true;
  if (now.bytes === before.bytes && now.modifiedNs === before.modifiedNs) return true;
  return now.checkpointed > before.checkpointed || now.frames < before.frames;
}
