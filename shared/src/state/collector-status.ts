import type { HistogramState } from '../metrics/histogram.ts';

/** ok: it reads; failing: it cannot; absent: this kernel does not have its source. */
export type CollectorHealth = 'ok' | 'failing' | 'absent';

/** A row of the table `collector_status`: the collector's process writes it, the uploader's reads it. */
export interface CollectorStatus {
  readonly collector: string;
  readonly status: CollectorHealth;
  /** Why it fails; else empty. */
  readonly message: string;
  /** Corrected time of the last change of `status`, Unix milliseconds. */
  readonly sinceMs: number;
  readonly intervalMs: number;
  /** Unix milliseconds. */
  readonly lastScrapeMs: number;
  readonly durationMs: number;
  /** Samples stored since the database was created. */
  readonly collected: number;
  /** Samples refused and scrapes failed since the database was created. */
  readonly failed: number;
  readonly durations: HistogramState;
}
