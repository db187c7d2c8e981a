import type { Clock } from '@thugshells/shared/clock.ts';
import { findReplacedFiles, readDatabaseFileIds, type DatabaseFileIds } from '@thugshells/shared/database/file-ids.ts';

/** The collector looks at its files every second: by then it has set aside what it has not put there itself. */
const SETTLED_AFTER_MS = 3_000;
/** The collector needs longer to write the same database to a new file; without one, nobody does. */
const ABANDONED_AFTER_MS = 10_000;

/**
 * Decides when a database may be opened again whose files were replaced. Not beside a WAL or shared memory of the files
 * that were open before: SQLite would take the pages of one database for those of the other, and write that to the WAL that
 * the collector still has open. The collector puts its own database there; only if it does not, another file is opened.
 */
export class ReplacedFiles {
  readonly #before: DatabaseFileIds;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #last: { readonly files: DatabaseFileIds; readonly sinceMs: number } | undefined;

  /** @param before the ids, with creation, of the files that were open */
  constructor(before: DatabaseFileIds, clock: Pick<Clock, 'monotonic'>) {
    this.#before = before;
    this.#clock = clock;
  }

  /** Returns why the database may not be opened yet; undefined if it may. */
  findObstacle(path: string): string | undefined {
    const files = readDatabaseFileIds(path, { withCreation: true });
    if (files === undefined || files.database === undefined) return undefined;
    const nowMs = this.#clock.monotonic();
    // New side files are no change: the collector creates them when it opens the database.
    if (this.#last?.files.database !== files.database) this.#last = { files, sinceMs: nowMs };
    const { database, wal, shm } = this.#before;
    const isSame = files.database === database;
    const isBesideOld = (wal !== undefined && files.wal === wal) || (shm !== undefined && files.shm === shm);
    if (findReplacedFiles(this.#before, files).length === 0) return undefined;
    if (isBesideOld && !isSame) return 'another file stands beside the WAL of the database';
    const waitMs = isSame || isBesideOld ? ABANDONED_AFTER_MS : SETTLED_AFTER_MS;
    return nowMs - this.#last.sinceMs < waitMs ? 'its files were replaced' : undefined;
  }
}
