import type { Clock } from '@thugshells/shared/clock.ts';

import { BackgroundCheck } from './recovery/background-check.ts';
import type { Ballast } from './space/ballast.ts';
import { pruneKeptDatabases } from './recovery/kept-databases.ts';
import { isCheckedAtOnce } from './recovery/integrity.ts';
import type { DatabaseSession } from './database-session.ts';
import type { SpaceLimits } from './space/limits.ts';

export interface MaintenanceOptions {
  readonly clock: Clock;
  readonly dbPath: string;
  readonly ballast: Ballast;
  readonly limits: SpaceLimits;
  /** The built integrity-worker. */
  readonly checkWorkerFile: string;
}

/** How often maintenance runs; more often while there are rows to copy. */
export const MAINTENANCE_INTERVAL_MS = 1_000;
/** A fixed rate: it leaves at least half of the time to scrapes, whose delay WORK_MS bounds. */
const COPYING_INTERVAL_MS = 70;
/** Maximum delay of a scrape by deletions and copying. */
const WORK_MS = 20;
/** How often to look for rows that have expired, once there are none: each look takes a quarter of a millisecond. */
const EXPIRY_INTERVAL_MS = 10_000;
/** How often to read whether the uploader has reported corruption. */
const SUSPICION_INTERVAL_MS = 5_000;

/** Maintains an open database between the scrapes, some milliseconds at a time. */
export class Maintenance {
  readonly #session: DatabaseSession;
  readonly #options: MaintenanceOptions;
  #check: BackgroundCheck | undefined;
  #suspicionAt: number;
  #expiresAt = -Infinity;
  /** Whether work() has looked if a check is due; the constructor must not fail, or nobody would close the session. */
  #hasBegun = false;

  constructor(session: DatabaseSession, options: MaintenanceOptions) {
    this.#session = session;
    this.#options = options;
    this.#suspicionAt = options.clock.monotonic();
  }

  /** Milliseconds until the next work(): fewer while rows of another database are being copied. */
  get intervalMs(): number {
    return this.#session.salvages.isCopying ? COPYING_INTERVAL_MS : MAINTENANCE_INTERVAL_MS;
  }

  /** Does what is due; returns the corruption that a check has found, if any. */
  work(): string | undefined {
    this.#begin();
    this.#session.wal.checkpointIfDue();
    this.#expire();
    this.evict();
    this.#copySalvaged();
    this.#options.ballast.ensure();
    this.#checkSuspicion();
    if (this.#check?.isOver !== true) return undefined;
    const { corruption } = this.#check;
    this.#check = undefined;
    return corruption;
  }

  /** Evicts rows until the database is below its limit, for 20 ms at most; the next call continues. */
  evict(): void {
    const { eviction } = this.#session;
    this.#inSlices(() => eviction.isOverLimit && eviction.evict() !== undefined);
  }

  /** Frees space for a commit that failed on a full disk; returns whether rows were evicted. */
  freeSpace(): boolean {
    const { salvages, wal, eviction } = this.#session;
    try {
      // New samples are worth more than the corrupt databases that are kept.
      if (!salvages.isCopying) pruneKeptDatabases(this.#options.dbPath, 0);
      wal.checkpoint();
      // Above the limit pending rows are evicted too; if other files fill the disk, only settled ones are.
      const evicted = eviction.isOverLimit ? eviction.evict() : eviction.evictSettled();
      return (evicted?.rows ?? 0) > 0;
    } catch {
      // The next attempt to commit reports what is wrong.
      return false;
    }
  }

  stop(): void {
    this.#check?.stop();
    this.#session.salvages.close();
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    // A small database has been checked before it was opened.
    if (!isCheckedAtOnce(this.#options.dbPath)) this.#startCheck();
  }

  #expire(): void {
    const { clock } = this.#options;
    this.#inSlices(() => {
      if (clock.monotonic() < this.#expiresAt) return false;
      const hasExpired = this.#session.eviction.expire().rows > 0;
      if (!hasExpired) this.#expiresAt = clock.monotonic() + EXPIRY_INTERVAL_MS;
      return hasExpired;
    });
  }

  #copySalvaged(): void {
    this.#inSlices(() => {
      const { salvages, eviction } = this.#session;
      if (!salvages.isCopying || eviction.isOverLimit) return false;
      if (salvages.step()) return true;
      pruneKeptDatabases(this.#options.dbPath, this.#options.limits.maxBytes);
      return false;
    });
  }

  #checkSuspicion(): void {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#suspicionAt < SUSPICION_INTERVAL_MS) return;
    this.#suspicionAt = clock.monotonic();
    if (this.#session.states.takeSuspicion()) this.#startCheck();
  }

  #startCheck(): void {
    this.#check?.stop();
    this.#check = new BackgroundCheck(this.#options.checkWorkerFile, this.#options.dbPath);
  }

  /** Runs slices until one has nothing to do, for 20 ms at most. Each grows the WAL, which is checked in between. */
  #inSlices(slice: () => boolean): void {
    const { clock } = this.#options;
    const endsAt = clock.monotonic() + WORK_MS;
    while (clock.monotonic() <= endsAt && slice()) this.#session.wal.checkpointIfDue();
  }
}
