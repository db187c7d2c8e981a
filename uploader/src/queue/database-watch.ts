import { statSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.ts';
import { isCorruption, type Database } from '@thugshells/shared/database/open.ts';
import { errorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

/**
 * The file under the database: the collector puts a new one in the place of a damaged one, and whoever has the old one
 * open goes on writing to what nobody reads any more.
 */
export class DatabaseWatch {
  readonly #database: Database;
  readonly #options: { readonly path: string; readonly clock: Clock; readonly logger: Logger };
  readonly #file: string | undefined;

  /** @param database just opened */
  constructor(database: Database, options: { readonly path: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#database = database;
    this.#options = options;
    this.#file = fileAt(options.path);
  }

  /** Whether another file, or none, stands where the open one stood. */
  get isReplaced(): boolean {
    return fileAt(this.#options.path) !== this.#file;
  }

  /** Tells the collector of an error that says that the file is damaged; of others it has nothing to do. */
  suspect(error: unknown): void {
    if (!isCorruption(error)) return;
    const { clock, logger } = this.#options;
    try {
      this.#database.prepare('UPDATE uploader_state SET suspected_at = ?').run(clock.now());
    } catch (cause) {
      // The collector meets damage of that kind itself, with its next scrape.
      logger.debug('the collector could not be told of damage', errorFields(cause));
    }
  }
}

/** Device and inode; undefined where there is no file. Only the status is asked: opening the file would drop locks. */
function fileAt(path: string): string | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}
