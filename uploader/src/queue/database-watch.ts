import type { Clock } from '@thugshells/shared/clock.ts';
import { findReplacedFiles, readDatabaseFileIds, type DatabaseFileIds } from '@thugshells/shared/database/file-ids.ts';
import { isCorruption, type Database } from '@thugshells/shared/database/open.ts';
import { toErrorCode } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

/**
 * Watches the files of the open database. The collector replaces a corrupt database with a new file, and anybody may remove
 * or replace the files; a process that still has the old ones open would write to files that nobody reads.
 */
export class DatabaseWatch {
  readonly #database: Database;
  readonly #options: { readonly path: string; readonly clock: Clock; readonly logger: Logger };
  readonly #files: DatabaseFileIds | undefined;
  /** The files that are open, for a comparison after they are closed; undefined if they could not be found out. */
  readonly filesWithCreation: DatabaseFileIds | undefined;

  /** @param database just opened */
  constructor(database: Database, options: { readonly path: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#database = database;
    this.#options = options;
    this.#files = readDatabaseFileIds(options.path);
    this.filesWithCreation = readDatabaseFileIds(options.path, { withCreation: true });
  }

  /** Whether database, WAL or shared memory is not the open file any more. */
  get isReplaced(): boolean {
    const now = readDatabaseFileIds(this.#options.path);
    return now !== undefined && this.#files !== undefined && findReplacedFiles(this.#files, now).length > 0;
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
