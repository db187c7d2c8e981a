import { COLLECTION_BOUNDS_SECONDS, createHistogram, type HistogramState } from '../metrics/histogram.ts';
import {
  isAmount,
  isCount,
  isHistogram,
  isOneOf,
  isText,
  isTime,
  type Guard,
  type StoredPlace,
  type StoredValues,
} from './stored-values.ts';

/** ok: it reads; failing: it cannot; absent: this kernel does not have its source. */
export type CollectorHealth = 'ok' | 'failing' | 'absent';
const HEALTHS: readonly (CollectorHealth | undefined)[] = ['ok', 'failing', 'absent'];

/** A row of the table `collector_status`: the collector's process writes it, the uploader's reads it. */
export interface CollectorStatus {
  readonly collector: string;
  readonly status: CollectorHealth;
  /** Why it fails; else empty. */
  readonly message: string;
  /** Corrected time of the last change of `status`, Unix milliseconds. */
  readonly sinceMs: number;
  readonly intervalMs: number;
  /** Unix milliseconds; 0 before the first scrape has ended. */
  readonly lastScrapeMs: number;
  readonly durationMs: number;
  /** Samples stored since the database was created. */
  readonly collected: number;
  /** Samples refused and scrapes failed since the database was created. */
  readonly failed: number;
  readonly durations: HistogramState;
}

/** A row as SQLite returns it, its columns named like the members: each may hold a value of any type. */
export type StoredCollectorStatus = { readonly [Name in keyof CollectorStatus]: unknown };

/** The counters that a collector keeps over restarts. */
export type CollectorCounters = Pick<CollectorStatus, 'collected' | 'failed' | 'durations'>;

/** Whether a scrape interval is possible. */
const isInterval: Guard<number> = (value): value is number => isAmount(value) && value >= 1;
/** Until the collector's next scrape writes its row. */
const DEFAULT_INTERVAL_MS = 30_000;
const UNREADABLE = 'its stored status cannot be read';

/** A scrape is late after this many intervals of its collector, */
const LATE_INTERVALS = 3;
/** but not before this: on a busy device, scrapes less than a second apart are late by more than their interval. */
const MIN_LATE_MS = 5_000;

/** Returns the age in milliseconds from which a scrape is late. */
export function toLateMs(intervalMs: number): number {
  return Math.max(LATE_INTERVALS * intervalMs, MIN_LATE_MS);
}

/** Creates the status of a collector whose first scrape has not ended. */
export function createFirstStatus(collector: string, intervalMs: number, nowMs: number): CollectorStatus {
  const counters = createCounters();
  return {
    collector,
    status: 'ok',
    message: '',
    sinceMs: nowMs,
    intervalMs,
    lastScrapeMs: 0,
    durationMs: 0,
    ...counters,
  };
}

/** Creates the counters of a collector that has not run yet. */
export function createCounters(): CollectorCounters {
  return { collected: 0, failed: 0, durations: createHistogram(COLLECTION_BOUNDS_SECONDS) };
}

/** Reads the counters of a row; one that is unreadable begins anew. */
export function readCounters(
  { collector, ...row }: Pick<StoredCollectorStatus, 'collector' | keyof CollectorCounters>,
  values: StoredValues,
): CollectorCounters {
  const empty = createCounters();
  const at = (column: string): StoredPlace => ({ column, row: String(collector) });
  return {
    collected: values.read(at('collected'), row.collected, isCount, empty.collected),
    failed: values.read(at('failed'), row.failed, isCount, empty.failed),
    durations: values.parse(at('durations'), row.durations, isHistogram(COLLECTION_BOUNDS_SECONDS), empty.durations),
  };
}

/** Reads a row; undefined if its collector's name is unreadable. A status that is unreadable is not taken for a good one. */
export function readCollectorStatus(row: StoredCollectorStatus, values: StoredValues): CollectorStatus | undefined {
  const collector = values.read({ column: 'collector' }, row.collector, isText, '');
  if (collector === '') return undefined;
  const at = (column: string): StoredPlace => ({ column, row: collector });
  const status = values.read(at('status'), row.status, isOneOf(HEALTHS), undefined);
  return {
    collector,
    status: status ?? 'failing',
    message: status === undefined ? UNREADABLE : values.read(at('message'), row.message, isText, ''),
    sinceMs: values.read(at('since'), row.sinceMs, isTime, 0),
    intervalMs: values.read(at('interval_ms'), row.intervalMs, isInterval, DEFAULT_INTERVAL_MS),
    lastScrapeMs: values.read(at('last_scrape'), row.lastScrapeMs, isTime, 0),
    durationMs: values.read(at('duration_ms'), row.durationMs, isAmount, 0),
    ...readCounters(row, values),
  };
}
