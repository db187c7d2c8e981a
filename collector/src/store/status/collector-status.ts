import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import {
  COLLECTION_BOUNDS_SECONDS,
  emptyHistogram,
  type HistogramState,
} from '@thugshells/shared/metrics/histogram.ts';

/** ok: it reads; failing: it cannot; absent: this kernel does not have its source. */
export type CollectorHealth = 'ok' | 'failing' | 'absent';

/** What the sidecar shows of one collector. */
export interface CollectorStatus {
  readonly collector: string;
  readonly status: CollectorHealth;
  readonly message: string;
  /** True time of the last change of `status`, Unix milliseconds. */
  readonly sinceMs: number;
  readonly intervalMs: number;
  readonly lastScrapeMs: number;
  readonly durationMs: number;
  /** Samples stored, since the database was made. */
  readonly collected: number;
  /** Readings refused and scrapes failed, since the database was made. */
  readonly failed: number;
  readonly durations: HistogramState;
}

/** What a collector has done so far. */
export type CollectorCounters = Pick<CollectorStatus, 'collected' | 'failed' | 'durations'>;

/** The counters of a collector that has not run yet. */
export function noCounters(): CollectorCounters {
  return { collected: 0, failed: 0, durations: emptyHistogram(COLLECTION_BOUNDS_SECONDS) };
}

/** The table through which the uploader's sidecar learns how the collectors fare. */
export class CollectorStatusTable {
  readonly #save: Statement;
  readonly #find: Statement<[string], { collected: number; failed: number; durations: string }>;
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    // Not REPLACE, which gives the row another id: that writes a page of the index too, with every scrape.
    this.#save = database.prepare(
      `INSERT INTO collector_status
       (collector, status, message, since, interval_ms, last_scrape, duration_ms, collected, failed, durations)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (collector) DO UPDATE SET status = excluded.status, message = excluded.message, since = excluded.since,
         interval_ms = excluded.interval_ms, last_scrape = excluded.last_scrape, duration_ms = excluded.duration_ms,
         collected = excluded.collected, failed = excluded.failed, durations = excluded.durations`,
    );
    this.#find = database.prepare('SELECT collected, failed, durations FROM collector_status WHERE collector = ?');
  }

  /** Forgets the collectors that do not run any more. */
  keepOnly(collectors: readonly string[]): void {
    this.#database
      .prepare('DELETE FROM collector_status WHERE collector NOT IN (SELECT value FROM json_each(?))')
      .run(JSON.stringify(collectors));
  }

  /** How a collector's counters stood at the end of the last process. */
  countersOf(collector: string): CollectorCounters {
    const row = this.#find.get(collector);
    if (row === undefined) return noCounters();
    return { ...row, durations: JSON.parse(row.durations) as HistogramState };
  }

  save(row: CollectorStatus): void {
    this.#save.run(
      row.collector,
      row.status,
      row.message,
      row.sinceMs,
      row.intervalMs,
      row.lastScrapeMs,
      row.durationMs,
      row.collected,
      row.failed,
      JSON.stringify(row.durations),
    );
  }
}
