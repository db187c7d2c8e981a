import type { Clock } from '@thugshells/shared/clock.ts';

import { BackgroundCheck } from './recovery/background-check.ts';
import type { Ballast } from './space/ballast.ts';
import { pruneCorruptDatabases } from './recovery/replace-database.ts';
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
const COPYING_INTERVAL_MS = 50;
/** How long deletions and copying may keep a scrape waiting. */
const WORK_MS = 20;
/** How often the uploader is asked whether it met damage. */
const SUSPICION_INTERVAL_MS = 5_000;

/** Looks after an open database between the scrapes: a little at a time. */
export class Maintenance {
  readonly #session: DatabaseSession;
  readonly #options: MaintenanceOptions;
  #check: BackgroundCheck | undefined;
  #suspicionAt: number;

  constructor(session: DatabaseSession, options: MaintenanceOptions) {
    this.#session = session;
    this.#options = options;
    this.#suspicionAt = options.clock.monotonic();
    // A small one has been checked before it was opened.
    if (!isCheckedAtOnce(options.dbPath)) this.#startCheck();
  }

  /** Milliseconds until work() is to be called again: fewer while rows of another database are being copied. */
  get intervalMs(): number {
    return this.#session.salvages.isCopying ? COPYING_INTERVAL_MS : MAINTENANCE_INTERVAL_MS;
  }

  /** Does what is due; returns what is wrong with the database, where a check has found something. */
  work(): string | undefined {
    this.#session.wal.checkpointIfDue();
    this.#expire();
    this.evict();
    this.#copySalvaged();
    this.#options.ballast.ensure();
    this.#askUploader();
    if (this.#check?.isOver !== true) return undefined;
    const { corruption } = this.#check;
    this.#check = undefined;
    return corruption;
  }

  /** Gives up old rows until there is room again; at most for a moment, the next call goes on. */
  evict(): void {
    const { retention } = this.#session;
    this.#inSlices(() => retention.isOverLimit && retention.evict() !== undefined);
  }

  /** Frees what it can for a commit that failed on a full disk; returns whether rows were evicted. */
  freeSpace(): boolean {
    const { salvages, wal, retention } = this.#session;
    try {
      // Corrupt databases that are kept are worth less than new samples.
      if (!salvages.isCopying) pruneCorruptDatabases(this.#options.dbPath, 0);
      wal.checkpoint();
      // Above the limit pending rows are evicted too; on a disk that others have filled, only settled ones are.
      const evicted = retention.isOverLimit ? retention.evict() : retention.evictSettled();
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

  #expire(): void {
    this.#inSlices(() => this.#session.retention.expire().rows > 0);
  }

  #copySalvaged(): void {
    this.#inSlices(() => {
      const { salvages, retention } = this.#session;
      if (!salvages.isCopying || retention.isOverLimit) return false;
      if (salvages.step()) return true;
      pruneCorruptDatabases(this.#options.dbPath, this.#options.limits.maxBytes);
      return false;
    });
  }

  #askUploader(): void {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#suspicionAt < SUSPICION_INTERVAL_MS) return;
    this.#suspicionAt = clock.monotonic();
    if (this.#session.states.takeSuspicion()) this.#startCheck();
  }

  #startCheck(): void {
    this.#check?.stop();
    this.#check = new BackgroundCheck(this.#options.checkWorkerFile, this.#options.dbPath);
  }

  /** Works while there is something to do, for a moment at most. Each slice grows the WAL, which is looked at in between. */
  #inSlices(slice: () => boolean): void {
    const { clock } = this.#options;
    const endsAt = clock.monotonic() + WORK_MS;
    while (clock.monotonic() <= endsAt && slice()) this.#session.wal.checkpointIfDue();
  }
}
