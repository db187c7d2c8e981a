import { statSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.ts';
import { isCorruption, type Database } from '@thugshells/shared/database/open.ts';
import { toErrorCode } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

/**
 * Watches the file of the open database. The collector replaces a corrupt database with a new file; a process that still
 * has the old one open would write to a file that nobody reads.
 */
export class DatabaseWatch {
  readonly #database: Database;
  readonly #options: { readonly path: string; readonly clock: Clock; readonly logger: Logger };
  readonly #fileId: string | undefined;

  /** @param database just opened */
  constructor(database: Database, options: { readonly path: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#database = database;
    this.#options = options;
    this.#fileId = readFileId(options.path);
  }

  /** Whether the path now has another file than the open one, or none. */
  get isReplaced(): boolean {
    try {
      return readFileId(this.#options.path) !== this.#fileId;
    } catch {
      // A folder that may not be read, or a disk that fails, is no sign of another file.
      return false;
    }
  }

  /**
   * Reports an error to the collector, which checks the database, if SQLite raised it because of corruption. A constraint
   * that fails is one too: it means that rows contradict each other.
   */
  reportCorruption(error: unknown): void {
    if (!isCorruption(error) && toErrorCode(error)?.startsWith('SQLITE_CONSTRAINT') !== true) return;
    const { clock, logger } = this.#options;
    try {
      this.#database.prepare('UPDATE uploader_state SET suspected_at = ?').run(clock.now());
    } catch (cause) {
      // The collector finds corruption of this kind itself, with its next scrape.
      logger.debug('cannot report corruption to collector', toErrorFields(cause));
    }
  }
}

/**
 * Returns device and inode; undefined if there is no file. Opening and closing the file would release the POSIX locks
 * that SQLite holds on it in this process (fcntl(2)), so it is only stat'ed.
 */
function readFileId(path: string): string | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}
