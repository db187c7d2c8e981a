import { setAsideBytes, setAsideHealth } from './set-aside-rule.ts';
import type { CollectorNow, Snapshot } from '../telemetry/snapshot.ts';

/** ok: as it should be; degraded: it works, but look at it; error: samples are being lost or will be. */
export type Status = 'ok' | 'degraded' | 'error';

/** One part of the box. */
export interface Component {
  readonly status: Status;
  readonly message: string;
  /** Facts, times in RFC 3339. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What /health says, without the times at which it began to be so. */
export interface Verdict {
  readonly status: Status;
  readonly components: Readonly<Record<string, Component>>;
}

/** Where the states begin. */
export interface HealthLimits {
  readonly uploadIntervalMs: number;
  readonly healthDegradedPending: number;
  readonly healthErrorPending: number;
  readonly healthErrorAfterMs: number;
  readonly clockSkewWarnMs: number;
}

/** A collector is late after this many of its intervals without a scrape. */
const LATE_INTERVALS = 3;
/** Scrapes shorter than a second apart may be late by more than their interval on a busy board. */
const LEAST_LATE_MS = 5_000;
/** A WAL beyond this, and beyond the size at which it is to be moved into the database, says that this does not get through. */
const MAX_WAL_BYTES = 64 * 1024 ** 2;
/** A reader that is in the way for longer than this has forgotten to end its transaction. */
const WAL_BLOCKED_MS = 60_000;
/** Pending limits hold at least this many upload intervals' worth of samples. */
const PENDING_INTERVALS = 3;
/** Losses are shown for this long. */
const HOUR_MS = 3_600_000;

/** Also what is exported for each state. */
export const severity: Readonly<Record<Status, number>> = { ok: 0, degraded: 1, error: 2 };

/** The health of a box: a pure function of what was seen of it. */
export function healthOf(
  snapshot: Snapshot,
  limits: HealthLimits,
  configurationWarnings: readonly string[] = [],
): Verdict {
  const collectors = snapshot.collectors.map(
    (row) => [`collector.${row.collector}`, collectorHealth(row, snapshot)] as const,
  );
  const database = setAsideHealth(snapshot.setAside);
  const components = {
    ...Object.fromEntries(collectors),
    collector: collectorProcessHealth(
      snapshot,
      collectors.map(([, component]) => component),
    ),
    uploader: uploaderHealth(snapshot, limits),
    storage: storageHealth(snapshot),
    ...(database === undefined ? {} : { database }),
    time: timeHealth(snapshot, limits),
    ...(configurationWarnings.length > 0 ? { configuration: configurationHealth(configurationWarnings) } : {}),
  };
  return { status: worst(Object.values(components).map(({ status }) => status)), components };
}

/** The most severe of some states; ok of none. */
export function worst(states: readonly Status[]): Status {
  return states.reduce((a, b) => (severity[b] > severity[a] ? b : a), 'ok');
}

/** RFC 3339, or undefined for a time that never was. */
function time(ms: number | undefined): string | undefined {
  return ms === undefined || ms === 0 ? undefined : new Date(ms).toISOString();
}

function collectorHealth(row: CollectorNow, { storage }: Snapshot): Component {
  const details = {
    last_scrape: time(row.lastScrapeMs),
    interval_seconds: row.intervalMs / 1000,
    duration_ms: row.durationMs,
    collected: row.collected,
    failed: row.failed,
  };
  if (row.lastScrapeAgeMs > lateAfter(row.intervalMs, storage.flushIntervalMs)) {
    return { status: 'degraded', message: `no scrape for ${seconds(row.lastScrapeAgeMs)}`, details };
  }
  if (row.status === 'failing') return { status: 'degraded', message: row.message, details };
  return { status: 'ok', message: row.status === 'absent' ? 'not on this kernel' : 'scraping', details };
}

/** What a scrape brought stands in the database only after the flush that it waits for. */
function lateAfter(intervalMs: number, flushIntervalMs: number): number {
  return Math.max(LATE_INTERVALS * intervalMs, LEAST_LATE_MS) + flushIntervalMs;
}

/** The process as a whole: its heartbeat, and whether anything is left that works. */
function collectorProcessHealth(snapshot: Snapshot, states: readonly Component[]): Component {
  const { collectors, heartbeatMs, heartbeatAgeMs, storage } = snapshot;
  const details = { heartbeat: time(heartbeatMs), collectors: collectors.length };
  const shortest = Math.min(...collectors.map(({ intervalMs }) => intervalMs));
  if (collectors.length === 0)
    return { status: 'error', message: 'the collector has not stored anything yet', details };
  if (heartbeatAgeMs > lateAfter(shortest, storage.flushIntervalMs)) {
    return { status: 'error', message: `no sign of the collector for ${seconds(heartbeatAgeMs)}`, details };
  }
  if (states.every(({ status }) => status !== 'ok'))
    return { status: 'error', message: 'all collectors are failing', details };
  return { status: 'ok', message: 'collecting', details };
}

function uploaderHealth(snapshot: Snapshot, limits: HealthLimits): Component {
  const { books, receiver, isRunning } = snapshot;
  const details = uploaderDetails(snapshot);
  const waitingMs = withoutUploadMs(snapshot);
  const floor = PENDING_INTERVALS * samplesPerUpload(snapshot, limits);
  const because = receiver.reason === '' ? '' : `: ${receiver.reason}`;
  if (receiver.condition === 'held')
    return { status: 'error', message: `the receiver refuses uploads${because}`, details };
  if (waitingMs > limits.healthErrorAfterMs && books.pending > Math.max(limits.healthErrorPending, floor)) {
    return { status: 'error', message: `no upload for ${seconds(waitingMs)}${because}`, details };
  }
  if (!isRunning) return { status: 'degraded', message: 'the uploader is not running', details };
  // The first upload of a new process comes within its first interval.
  if (Math.min(waitingMs, snapshot.uptimeSeconds * 1000) > 2 * limits.uploadIntervalMs) {
    return { status: 'degraded', message: `no upload for ${seconds(waitingMs)}${because}`, details };
  }
  if (books.pending >= Math.max(limits.healthDegradedPending, floor)) {
    return { status: 'degraded', message: `${books.pending} samples are pending${because}`, details };
  }
  if (receiver.condition === 'away' || receiver.condition === 'fault') {
    return { status: 'degraded', message: `uploads fail${because}`, details };
  }
  return { status: 'ok', message: books.pending === 0 ? 'everything is delivered' : 'uploading', details };
}

function uploaderDetails(snapshot: Snapshot): Component['details'] {
  const { books, receiver, counts, oldestPendingMs } = snapshot;
  return {
    pending: books.pending,
    oldest_pending: time(oldestPendingMs),
    oldest_pending_age_seconds: oldestPendingSeconds(snapshot),
    last_upload: time(receiver.lastDelivery?.atMs),
    last_upload_samples: receiver.lastDelivery?.count,
    last_upload_bytes: receiver.lastDelivery?.bytesSent,
    receiver: receiver.condition,
    uploaded: counts.uploaded,
    failures: counts.failures,
    bytes_sent: counts.bytesSent,
  };
}

/** Age of the oldest pending sample; 0 where there is none. */
export function oldestPendingSeconds({ oldestPendingMs, nowMs }: Pick<Snapshot, 'oldestPendingMs' | 'nowMs'>): number {
  return oldestPendingMs === undefined ? 0 : Math.max(0, nowMs - oldestPendingMs) / 1000;
}

/** How long there has been no upload though there was something to upload; rows that are held back are not. */
function withoutUploadMs({ books, held, lastDeliveryAgeMs, receiver, oldestPendingMs, nowMs }: Snapshot): number {
  if (books.pending <= (held?.count ?? 0) || oldestPendingMs === undefined) return 0;
  const sinceDeliveryMs = lastDeliveryAgeMs ?? Math.max(0, nowMs - receiver.sinceMs);
  // The oldest pending row may be one that is held, of which the time is wrong.
  return held === undefined ? Math.min(sinceDeliveryMs, Math.max(0, nowMs - oldestPendingMs)) : sinceDeliveryMs;
}

/** How many samples one upload interval brings, by what the collectors store. */
function samplesPerUpload({ collectors }: Snapshot, { uploadIntervalMs }: HealthLimits): number {
  return collectors.reduce((sum, { collected, durations, intervalMs }) => {
    const scrapes = durations.counts.reduce((a, b) => a + b, 0);
    return scrapes === 0 ? sum : sum + (collected / scrapes) * (uploadIntervalMs / intervalMs);
  }, 0);
}

function storageHealth(snapshot: Snapshot): Component {
  const { nowMs, databaseBytes, walBytes, books, storage, rejectedAgeMs, droppedInLastHour } = snapshot;
  const details = {
    ...{ database_bytes: databaseBytes, wal_bytes: walBytes, max_bytes: storage.maxBytes ?? undefined, ...books },
    ...{ waiting_in_memory: storage.bufferedSamples, dropped_in_last_hour: droppedInLastHour },
    ...(snapshot.setAside.length === 0 ? {} : { set_aside_bytes: setAsideBytes(snapshot.setAside) }),
  };
  if (storage.failure !== null) return { status: 'error', message: storage.failure, details };
  if (walBytes > Math.max(MAX_WAL_BYTES, storage.walLimitBytes ?? 0)) {
    return { status: 'degraded', message: `the WAL has grown to ${walBytes} bytes`, details };
  }
  if (storage.walBlockedSinceMs !== null && nowMs - storage.walBlockedSinceMs > WAL_BLOCKED_MS) {
    const since = new Date(storage.walBlockedSinceMs).toISOString();
    return {
      status: 'degraded',
      message: `a program that has the database open keeps its WAL from being emptied since ${since}`,
      details,
    };
  }
  if (droppedInLastHour > 0)
    return { status: 'degraded', message: `${droppedInLastHour} samples were dropped in the last hour`, details };
  if (rejectedAgeMs !== undefined && rejectedAgeMs <= HOUR_MS) {
    return { status: 'degraded', message: `samples were rejected in the last hour, ${books.rejected} in all`, details };
  }
  return { status: 'ok', message: 'storing', details };
}

function timeHealth({ skewMs, skewErrorMs, held }: Snapshot, { clockSkewWarnMs }: HealthLimits): Component {
  const details = {
    ...(skewMs === undefined ? {} : { skew_ms: Math.round(skewMs), skew_error_ms: Math.round(skewErrorMs ?? 0) }),
    ...(held === undefined ? {} : { held: held.count, held_because: held.reason }),
  };
  if (held !== undefined)
    return { status: 'degraded', message: `${held.count} samples are held: ${held.reason}`, details };
  if (skewMs === undefined) return { status: 'ok', message: 'not compared with the receiver yet', details };
  if (Math.abs(skewMs) <= clockSkewWarnMs) return { status: 'ok', message: 'agrees with the receiver', details };
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return {
    status: 'degraded',
    message: `this clock is ${seconds(Math.abs(skewMs))} ${direction} the receiver’s`,
    details,
  };
}

/** A typing error in a variable must not stop a remote box, and must not go unseen. */
function configurationHealth(warnings: readonly string[]): Component {
  return { status: 'degraded', message: warnings.join('; '), details: {} };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
