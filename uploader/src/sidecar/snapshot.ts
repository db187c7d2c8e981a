import { statSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.js';
import type { Database, Statement } from '@thugshells/shared/database/open.js';
import type { HistogramState } from '@thugshells/shared/histogram.js';

import type { Backlog, Books } from '../backlog.js';
import type { ClockSkew } from '../clock-skew.js';
import type { Delivery, ReceiverCondition, ReceiverState } from '../receiver-state.js';

/** How one collector fares, as the collector process noted it. */
export interface CollectorRow {
  readonly collector: string;
  readonly status: string;
  readonly message: string;
  readonly sinceMs: number;
  readonly intervalMs: number;
  readonly lastScrapeMs: number;
  readonly durationMs: number;
  readonly collected: number;
  readonly failed: number;
  readonly durations: HistogramState;
}

/** Everything that health and metrics are made of, read at one moment; its cost does not grow with the backlog. */
export interface Snapshot {
  readonly nowMs: number;
  readonly uptimeSeconds: number;
  readonly collectors: readonly CollectorRow[];
  readonly heartbeatMs: number;
  readonly books: Books;
  readonly oldestPendingMs: number | undefined;
  readonly databaseBytes: number;
  readonly walBytes: number;
  readonly receiver: {
    readonly condition: ReceiverCondition;
    readonly reason: string;
    readonly sinceMs: number;
    readonly lastDelivery: Delivery | undefined;
  };
  readonly skewMs: number | undefined;
}

export interface SnapshotSources {
  readonly clock: Clock;
  readonly database: Database;
  readonly databasePath: string;
  readonly backlog: Backlog;
  readonly receiver: ReceiverState;
  readonly skew: ClockSkew;
}

/** Takes snapshots of the uploader and of what the collector left in the database. */
export class Snapshots {
  readonly #sources: SnapshotSources;
  readonly #startedAt: number;
  readonly #collectors: Statement<[], Omit<CollectorRow, 'durations'> & { durations: string }>;
  readonly #heartbeat: Statement<[], number>;

  constructor(sources: SnapshotSources) {
    this.#sources = sources;
    this.#startedAt = sources.clock.monotonic();
    this.#collectors = sources.database.prepare(
      `SELECT collector, status, message, since AS sinceMs, interval_ms AS intervalMs, last_scrape AS lastScrapeMs,
         duration_ms AS durationMs, collected, failed, durations
       FROM collector_status ORDER BY collector`,
    );
    this.#heartbeat = sources.database.prepare<[], number>('SELECT heartbeat FROM collector_state').pluck();
  }

  take(): Snapshot {
    const { clock, backlog, receiver, skew, databasePath } = this.#sources;
    const { condition, reason, sinceMs, lastDelivery } = receiver;
    return {
      nowMs: clock.now(),
      uptimeSeconds: (clock.monotonic() - this.#startedAt) / 1000,
      collectors: this.#collectors.all().map((row) => ({ ...row, durations: JSON.parse(row.durations) as HistogramState })),
      heartbeatMs: this.#heartbeat.get() ?? 0,
      books: backlog.books(),
      oldestPendingMs: backlog.oldestPendingMs(),
      databaseBytes: bytesOf(databasePath),
      walBytes: bytesOf(`${databasePath}-wal`),
      receiver: { condition, reason, sinceMs, lastDelivery },
      skewMs: skew.skewMs,
    };
  }
}

/** Only the status is asked: opening the file would drop SQLite's locks. */
function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
