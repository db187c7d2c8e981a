import type { CollectorRow, Snapshot } from './snapshot.js';

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
/** A WAL beyond this says that its checkpoints do not get through. */
const MAX_WAL_BYTES = 64 * 1024 ** 2;
/** Pending limits hold at least this many upload intervals' worth of samples. */
const PENDING_INTERVALS = 3;

const severity: Readonly<Record<Status, number>> = { ok: 0, degraded: 1, error: 2 };

/** The health of a box: a pure function of what was seen of it. */
export function healthOf(snapshot: Snapshot, limits: HealthLimits, configurationWarnings: readonly string[] = []): Verdict {
  const collectors = snapshot.collectors.map((row) => [`collector.${row.collector}`, collectorHealth(row, snapshot)] as const);
  const components = {
    ...Object.fromEntries(collectors),
    collector: collectorProcessHealth(snapshot, collectors.map(([, component]) => component)),
    uploader: uploaderHealth(snapshot, limits),
    storage: storageHealth(snapshot),
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

function collectorHealth(row: CollectorRow, { nowMs }: Snapshot): Component {
  const details = {
    last_scrape: time(row.lastScrapeMs),
    interval_seconds: row.intervalMs / 1000,
    duration_ms: row.durationMs,
    collected: row.collected,
    failed: row.failed,
  };
  const lateMs = nowMs - row.lastScrapeMs;
  if (lateMs > lateAfter(row.intervalMs)) {
    return { status: 'degraded', message: `no scrape for ${seconds(lateMs)}`, details };
  }
  if (row.status === 'failing') return { status: 'degraded', message: row.message, details };
  return { status: 'ok', message: row.status === 'absent' ? 'not on this kernel' : 'scraping', details };
}

function lateAfter(intervalMs: number): number {
  return Math.max(LATE_INTERVALS * intervalMs, LEAST_LATE_MS);
}

/** The process as a whole: its heartbeat, and whether anything is left that works. */
function collectorProcessHealth({ collectors, heartbeatMs, nowMs }: Snapshot, states: readonly Component[]): Component {
  const details = { heartbeat: time(heartbeatMs), collectors: collectors.length };
  const shortest = Math.min(...collectors.map(({ intervalMs }) => intervalMs));
  if (collectors.length === 0) return { status: 'error', message: 'the collector has not stored anything yet', details };
  if (nowMs - heartbeatMs > lateAfter(shortest)) {
    return { status: 'error', message: `no sign of the collector for ${seconds(nowMs - heartbeatMs)}`, details };
  }
  if (states.every(({ status }) => status !== 'ok')) return { status: 'error', message: 'all collectors are failing', details };
  return { status: 'ok', message: 'collecting', details };
}

function uploaderHealth(snapshot: Snapshot, limits: HealthLimits): Component {
  const { books, receiver, nowMs, oldestPendingMs } = snapshot;
  const { lastDelivery, condition, reason, sinceMs } = receiver;
  const oldestAgeMs = oldestPendingMs === undefined ? 0 : nowMs - oldestPendingMs;
  // Without an upload and with something to upload, for the shorter of the two.
  const sinceDeliveryMs = Math.min(nowMs - (lastDelivery?.atMs ?? sinceMs), oldestAgeMs);
  const details = {
    pending: books.pending,
    oldest_pending: time(oldestPendingMs),
    oldest_pending_age_seconds: oldestAgeMs / 1000,
    last_upload: time(lastDelivery?.atMs),
    last_upload_samples: lastDelivery?.count,
    last_upload_bytes: lastDelivery?.bytesSent,
    receiver: condition,
  };
  const floor = PENDING_INTERVALS * samplesPerUpload(snapshot, limits);
  const because = reason === '' ? '' : `: ${reason}`;
  if (condition === 'held') return { status: 'error', message: `the receiver refuses uploads${because}`, details };
  if (sinceDeliveryMs > limits.healthErrorAfterMs && books.pending > Math.max(limits.healthErrorPending, floor)) {
    return { status: 'error', message: `no upload for ${seconds(sinceDeliveryMs)}${because}`, details };
  }
  if (sinceDeliveryMs > 2 * limits.uploadIntervalMs) {
    return { status: 'degraded', message: `no upload for ${seconds(sinceDeliveryMs)}${because}`, details };
  }
  if (books.pending >= Math.max(limits.healthDegradedPending, floor)) {
    return { status: 'degraded', message: `${books.pending} samples are pending${because}`, details };
  }
  if (condition === 'away' || condition === 'fault') return { status: 'degraded', message: `uploads fail${because}`, details };
  return { status: 'ok', message: books.pending === 0 ? 'everything is delivered' : 'uploading', details };
}

/** How many samples one upload interval brings, by what the collectors store. */
function samplesPerUpload({ collectors, books, heartbeatMs, nowMs }: Snapshot, limits: HealthLimits): number {
  const scrapes = collectors.reduce((sum, row) => sum + row.durations.counts.reduce((a, b) => a + b, 0), 0);
  if (scrapes === 0 || nowMs < heartbeatMs) return 0;
  const scrapesPerUpload = collectors.reduce((sum, { intervalMs }) => sum + limits.uploadIntervalMs / intervalMs, 0);
  return (books.collected / scrapes) * scrapesPerUpload;
}

function storageHealth({ databaseBytes, walBytes, books }: Snapshot): Component {
  const details = { database_bytes: databaseBytes, wal_bytes: walBytes, ...books };
  if (walBytes > MAX_WAL_BYTES) {
    return { status: 'degraded', message: `the WAL has grown to ${walBytes} bytes`, details };
  }
  return { status: 'ok', message: 'storing', details };
}

function timeHealth({ skewMs }: Snapshot, { clockSkewWarnMs }: HealthLimits): Component {
  if (skewMs === undefined) return { status: 'ok', message: 'not compared with the receiver yet', details: {} };
  const details = { skew_ms: Math.round(skewMs) };
  if (Math.abs(skewMs) <= clockSkewWarnMs) return { status: 'ok', message: 'agrees with the receiver', details };
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return { status: 'degraded', message: `this clock is ${seconds(Math.abs(skewMs))} ${direction} the receiver’s`, details };
}

/** A typing error in a variable must not stop a remote box, and must not go unseen. */
function configurationHealth(warnings: readonly string[]): Component {
  return { status: 'degraded', message: warnings.join('; '), details: {} };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
