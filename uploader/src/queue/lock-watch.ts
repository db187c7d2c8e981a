import type { Clock } from '@thugshells/shared/clock.ts';
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
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly path: string;
  readonly acknowledgements: Pick<Acknowledgements, 'lockedForMs'>;
}

/** A collector that has stored nothing for this long may wait for a lock: sooner than the first of its collectors counts as late. */
const SUSPECTED_AFTER_MS = 3_000;
/** Shorter waits are those for a commit of the collector on a card that stalls. */
const REPORTED_AFTER_MS = 5_000;

/** Until the collector has committed what it buffered, a lock that has just ended still explains why nothing was stored. */
const EXPLAINS_FOR_MS = 15_000;

/** Finds out whether another program has the database locked, when something has not been stored for a while. */
export class LockWatch {
  readonly #database: Database;
  readonly #options: LockWatchOptions;
  #last: { readonly lock: DatabaseLock; readonly at: number } | undefined;

  constructor(database: Database, options: LockWatchOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Finds the lock; undefined if there is none, or if nothing waits for it. */
  find(heartbeatAgeMs: number): DatabaseLock | undefined {
    const { clock, path, acknowledgements } = this.#options;
    const delaysAcknowledgements = (acknowledgements.lockedForMs ?? 0) >= REPORTED_AFTER_MS;
    if (!delaysAcknowledgements && heartbeatAgeMs < SUSPECTED_AFTER_MS) return undefined;
    const now = clock.monotonic();
    if (!isWriteLockFree(this.#database))
      this.#last = { lock: { description: describeLock(path), delaysAcknowledgements }, at: now };
    else if (this.#last === undefined || now - this.#last.at > EXPLAINS_FOR_MS) return undefined;
    return this.#last?.lock;
  }
}
