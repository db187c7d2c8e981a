import type { Clock } from '@thugshells/shared/clock.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { CollectorStatus } from '@thugshells/shared/state/collector-status.ts';
import type { StorageState } from '@thugshells/shared/state/storage-state.ts';
import type { ReceiverCondition, UploadCounts, UploadRecord } from '@thugshells/shared/state/uploader-report.ts';

import type { Backlog, Books } from '../queue/backlog.ts';
import type { DeliveryRecord } from '../delivery/receiver-state.ts';
import { Ages } from './ages.ts';
import { DrainWatch, type Drain } from './drain-estimate.ts';
import type { HeldRows, SetAsideNow, StoreReader } from './collector-state-reader.ts';

/** What the uploader knows of itself. */
export interface UploadsNow {
  /** What the time is, by the clock that samples are stamped by; Unix milliseconds. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** 0 where it does not run: it is spoken of from what it left in the database. */
  readonly uptimeSeconds: number;
  readonly isRunning: boolean;
  readonly receiver: {
    readonly condition: ReceiverCondition;
    readonly reason: string;
    readonly sinceMs: number;
    readonly lastDelivery: DeliveryRecord | undefined;
  };
  /** Newest first. */
  readonly uploads: readonly UploadRecord[];
  readonly counts: UploadCounts;
  readonly skewMs: number | undefined;
  readonly skewErrorMs: number | undefined;
  /** When samples were rejected last; undefined for never. */
  readonly rejectedAtMs: number | undefined;
  /** Written by this process to the disk, in a day; undefined where it is not known. */
  readonly writtenPerDay: number | undefined;
}

/** A collector's row and how long ago it scraped. */
export type CollectorNow = CollectorStatus & { readonly lastScrapeAgeMs: number };

/** Everything that health, metrics and the status page are made of, read at one moment; its cost does not grow with the backlog. */
export interface Snapshot extends UploadsNow {
  readonly collectors: readonly CollectorNow[];
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
  readonly setAside: readonly SetAsideNow[];
  readonly storage: StorageState;
  readonly drain: Drain | undefined;
}

export interface SnapshotSources {
  readonly clock: Clock;
  readonly store: StoreReader;
  readonly backlog: Pick<Backlog, 'readBooks' | 'findOldestPendingMs'>;
  readonly settled: () => readonly IdRange[];
  readonly uploads: () => UploadsNow;
  /** At most so many pending samples are no backlog. */
  readonly batchMetrics: number;
}

/** A snapshot is good for so long: a thousand requests a second cost five readings. */
const FRESH_MS = 200;
const HOUR_MS = 3_600_000;

/** Takes snapshots of the uploader and of what the collector left in the database. */
export class Snapshots {
  readonly #sources: SnapshotSources;
  readonly #ages = new Ages();
  readonly #drain: DrainWatch;
  #last: { readonly takenAt: number; readonly snapshot: Snapshot } | undefined;

  constructor(sources: SnapshotSources) {
    this.#sources = sources;
    this.#drain = new DrainWatch(sources.batchMetrics);
  }

  /** The same object for as long as it is fresh. */
  take(): Snapshot {
    const monotonicMs = this.#sources.clock.monotonic();
    if (this.#last !== undefined && monotonicMs - this.#last.takenAt < FRESH_MS) return this.#last.snapshot;
    const snapshot = this.#read(monotonicMs);
    this.#last = { takenAt: monotonicMs, snapshot };
    return snapshot;
  }

  #read(monotonicMs: number): Snapshot {
    const { store, backlog, settled } = this.#sources;
    const uploads = this.#sources.uploads();
    const books = backlog.readBooks();
    const heartbeatMs = store.heartbeatMs();
    const age = (thing: string, atMs: number): number =>
      this.#ages.of(thing, atMs, { wallMs: uploads.nowMs, monotonicMs });
    const ageOrNever = (thing: string, atMs: number | undefined): number | undefined =>
      atMs === undefined ? undefined : age(thing, atMs);
    return {
      ...uploads,
      ...store.bytes(),
      collectors: store
        .collectors()
        .map((row) => ({ ...row, lastScrapeAgeMs: age(`collector ${row.collector}`, row.lastScrapeMs) })),
      heartbeatMs,
      heartbeatAgeMs: age('heartbeat', heartbeatMs),
      books,
      oldestPendingMs: backlog.findOldestPendingMs(),
      held: store.held(settled),
      lastDeliveryAgeMs: ageOrNever('delivery', uploads.receiver.lastDelivery?.atMs),
      rejectedAgeMs: ageOrNever('rejection', uploads.rejectedAtMs),
      droppedInLastHour: store.droppedSince(uploads.nowMs - HOUR_MS),
      setAside: store.setAside(),
      storage: store.storage(),
      drain: this.#drain.look(books.pending, monotonicMs),
    };
  }
}
