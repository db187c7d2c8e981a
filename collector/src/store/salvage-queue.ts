import type { Database } from '@thugshells/shared/database/open.ts';

import { Salvage, type SalvageOptions } from './salvage.ts';
import { SalvageTable } from './salvage-progress.ts';

/** The databases whose rows are to be copied into this one, one after the other. */
export class SalvageQueue {
  readonly #database: Database;
  readonly #options: SalvageOptions;
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

  /** Copies one slice; false where there is nothing left to copy. */
  step(): boolean {
    if (this.#current === undefined) return false;
    if (!this.#current.step()) this.#current = this.#next();
    return this.isCopying;
  }

  close(): void {
    this.#current?.close();
  }

  #next(): Salvage | undefined {
    const [progress] = new SalvageTable(this.#database).all();
    return progress === undefined ? undefined : new Salvage(this.#database, progress, this.#options);
  }
}
