import type { Clock } from '@thugshells/shared/clock.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { JournalEntry } from '@thugshells/shared/logging/journal.ts';
import type { CollectorStatus } from '@thugshells/shared/state/collector-status.ts';
import type { StorageState } from '@thugshells/shared/state/storage-state.ts';

import type { Backlog, Books } from '../queue/backlog.ts';
import type { DatabaseLock } from '../queue/lock-watch.ts';
import { AgeTracker } from './age-tracker.ts';
import type { CollectorStateReader, HeldRows, SetAsideDatabase } from './collector-state-reader.ts';
import { DrainEstimator, type DrainEstimate } from './drain-estimate.ts';
import type { UploaderState } from './uploader-state.ts';

/** The status of a collector, and the age of its last scrape. */
export type CollectorSnapshot = CollectorStatus & { readonly lastScrapeAgeMs: number };

/** The last warnings and errors of both programs, the oldest first. */
export interface Journals {
  readonly collector: readonly JournalEntry[];
  /** Empty while it does not run. */
  readonly uploader: readonly JournalEntry[];
}

/** Everything that health, metrics and the status page are computed from, read at one moment. */
export interface Snapshot extends UploaderState {
  readonly collectors: readonly CollectorSnapshot[];
  readonly heartbeatMs: number;
  readonly heartbeatAgeMs: number;
  readonly books: Books;
  readonly oldestPendingMs: number | undefined;
  readonly held: HeldRows | undefined;
  /** Since the last upload that delivered something; undefined for never. */
  readonly lastDeliveryAgeMs: number | undefined;
  readonly rejectedAgeMs: number | undefined;
  readonly droppedInLastHour: number;
  readonly databaseBytes: number;
  readonly walBytes: number;
  /** Free space of the file system that the database is on; undefined if it is not known. */
  readonly freeBytes?: number | undefined;
  readonly setAside: readonly SetAsideDatabase[];
  readonly storage: StorageState;
  /** The lock of another program, if something has not been stored for a while. */
  readonly lock: DatabaseLock | undefined;
  readonly drain: DrainEstimate | undefined;
  readonly journals: Journals;
}

export interface SnapshotSources {
  readonly clock: Clock;
  readonly collectorState: CollectorStateReader;
  readonly backlog: Pick<Backlog, 'readBooks' | 'findOldestPendingMs'>;
  readonly settled: () => readonly IdRange[];
  readonly uploaderState: () => UploaderState;
  readonly findLock: (heartbeatAgeMs: number) => DatabaseLock | undefined;
  /** The uploader's own. */
  readonly journal: () => readonly JournalEntry[];
  /** Up to this many pending samples are not a backlog. */
  readonly batchMetrics: number;
}

/** A snapshot is reused for this long: a thousand requests per second cost five reads of the database. */
const MAX_AGE_MS = 200;
const HOUR_MS = 3_600_000;

/** Takes snapshots of the uploader and of what the collector reports in the database. The cost does not grow with the backlog. */
export class Snapshots {
  readonly #sources: SnapshotSources;
  readonly #ages = new AgeTracker();
  readonly #drain: DrainEstimator;
  #last: { readonly takenAt: number; readonly snapshot: Snapshot } | undefined;

  constructor(sources: SnapshotSources) {
    this.#sources = sources;
    this.#drain = new DrainEstimator(sources.batchMetrics);
  }

  /** Returns the last snapshot if it is at most 200 ms old, else a new one. */
  take(): Snapshot {
    const monotonicMs = this.#sources.clock.monotonic();
    if (this.#last !== undefined && monotonicMs - this.#last.takenAt < MAX_AGE_MS) return this.#last.snapshot;
    const snapshot = this.#read(monotonicMs);
    this.#last = { takenAt: monotonicMs, snapshot };
    return snapshot;
  }

  /** Returns the milliseconds since the collector stored something: one row, where a snapshot reads dozens. */
  heartbeatAgeMs(): number {
    const { clock, collectorState, uploaderState } = this.#sources;
    const readings = { wallMs: uploaderState().nowMs, monotonicMs: clock.monotonic() };
    return this.#ages.ageMs('heartbeat', collectorState.readHeartbeatMs(), readings);
  }

  #read(monotonicMs: number): Snapshot {
    const { collectorState, backlog, settled, findLock, journal } = this.#sources;
    const uploader = this.#sources.uploaderState();
    const books = backlog.readBooks();
    const heartbeatMs = collectorState.readHeartbeatMs();
    const ageMs = (thing: string, atMs: number): number =>
      this.#ages.ageMs(thing, atMs, { wallMs: uploader.nowMs, monotonicMs });
    const heartbeatAgeMs = ageMs('heartbeat', heartbeatMs);
    const ageOrNever = (thing: string, atMs: number | undefined): number | undefined =>
      atMs === undefined ? undefined : ageMs(thing, atMs);
    return {
      ...uploader,
      ...collectorState.readSizes(),
      collectors: collectorState
        .readCollectors()
        // Before the first scrape, what counts is the time since that began.
        .map((row) => ({
          ...row,
          lastScrapeAgeMs: ageMs(`collector ${row.collector}`, row.lastScrapeMs || row.sinceMs),
        })),
      heartbeatMs,
      heartbeatAgeMs,
      books,
      oldestPendingMs: backlog.findOldestPendingMs(),
      held: collectorState.readHeld(settled),
      lastDeliveryAgeMs: ageOrNever('delivery', uploader.receiver.lastDelivery?.atMs),
      rejectedAgeMs: ageOrNever('rejection', uploader.rejectedAtMs),
      droppedInLastHour: collectorState.countDroppedBetween(uploader.nowMs - HOUR_MS, uploader.nowMs + HOUR_MS),
      setAside: collectorState.readSetAside(),
      storage: collectorState.readStorage(),
      lock: findLock(heartbeatAgeMs),
      drain: this.#drain.update(books.pending, monotonicMs),
      journals: { collector: collectorState.readJournal(), uploader: journal() },
    };
  }
}
