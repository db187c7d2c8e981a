import type { Database } from '@thugshells/shared/database/open.ts';
import { nameBeforeImport } from '@thugshells/shared/database/set-aside-files.ts';
import { toErrorFields } from '@thugshells/shared/logging/logger.ts';

import { Salvage, sourcePath, type SalvageOptions } from './salvage.ts';
import { SalvageTable, type SalvageProgress } from './salvage-progress.ts';
import { SetAsideImport } from './set-aside-import.ts';

/** Copies the samples of other databases into this one, one database after the other. */
export class SalvageQueue {
  readonly #database: Database;
  readonly #options: SalvageOptions;
  /** Those that failed; the next start of the program tries them again. */
  readonly #failed = new Set<number>();
  #current: Salvage | undefined;

  constructor(database: Database, options: SalvageOptions) {
    this.#database = database;
    this.#options = options;
    this.#current = this.#next();
  }

  /** Whether there is something to copy. */
  get isCopying(): boolean {
    return this.#current !== undefined;
  }

  /** Copies one slice; returns false if there is nothing left to copy. */
  step(): boolean {
    if (this.#current === undefined) return false;
    if (!this.#current.step()) this.#current = this.#next();
    return this.isCopying;
  }

  close(): void {
    this.#current?.close();
  }

  #next(): Salvage | undefined {
    for (const progress of new SalvageTable(this.#database, this.#options.logger).all()) {
      if (this.#failed.has(progress.id)) continue;
      try {
        return this.#open(progress);
      } catch (error) {
        // Tried again at the next start: a file that cannot be copied must not stop the collection.
        this.#failed.add(progress.id);
        this.#options.logger.error('cannot import set-aside database', {
          path: sourcePath(this.#options.databasePath, progress),
          ...toErrorFields(error),
        });
      }
    }
    return undefined;
  }

  #open(progress: SalvageProgress): Salvage {
    const isImport = nameBeforeImport(progress.file) !== undefined;
    return isImport
      ? new SetAsideImport(this.#database, progress, this.#options)
      : new Salvage(this.#database, progress, this.#options);
  }
}
