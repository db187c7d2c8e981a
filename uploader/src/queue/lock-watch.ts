import type { Database } from '@thugshells/shared/database/open.ts';
import { describeLock, isWriteLockFree } from '@thugshells/shared/database/write-lock.ts';

import type { Acknowledgements } from './acknowledgements.ts';

/** The lock of another program that keeps samples or acknowledgements from being stored. */
export interface DatabaseLock {
  /** `the database is locked by python3 (pid 4711)` */
  readonly description: string;
  /** Whether acknowledgements wait for it; else only the collector does. */
  readonly delaysAcknowledgements: boolean;
}

export interface LockWatchOptions {
  readonly path: string;
  readonly acknowledgements: Pick<Acknowledgements, 'lockedForMs'>;
}

/** A collector that has stored nothing for this long may wait for a lock. */
const SUSPECTED_AFTER_MS = 5_000;
/** Shorter waits are those for a commit of the collector on a card that stalls. */
const REPORTED_AFTER_MS = 5_000;

/** Finds out whether another program has the database locked, when something has not been stored for a while. */
export class LockWatch {
  readonly #database: Database;
  readonly #options: LockWatchOptions;

  constructor(database: Database, options: LockWatchOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Finds the lock; undefined if there is none, or if nothing waits for it. */
  find(heartbeatAgeMs: number): DatabaseLock | undefined {
    const { path, acknowledgements } = this.#options;
    const delaysAcknowledgements = (acknowledgements.lockedForMs ?? 0) >= REPORTED_AFTER_MS;
    if (!delaysAcknowledgements && heartbeatAgeMs < SUSPECTED_AFTER_MS) return undefined;
    return isWriteLockFree(this.#database) ? undefined : { description: describeLock(path), delaysAcknowledgements };
  }
}
