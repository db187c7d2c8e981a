import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import type { Snapshot } from '../telemetry/snapshot.ts';
import { findRemedy } from '../transport/recognized-responses.ts';
import { worstStatus, type ComponentHealth, type HealthReason, type HealthStatus } from './component-health.ts';
import {
  collectorHealth,
  collectorProcessHealth,
  COLLECTOR_LOG,
  isHeartbeatLate,
  waitsForCollector,
} from './collector-rules.ts';
import { configurationHealth, type ConfigurationFindings } from './configuration-rule.ts';
import { deliveryHealth } from './delivery-rule.ts';
import { describeBlockingLock } from './lock-rule.ts';
import { bytes, count, duration, formatAge, toRfc3339 } from './formatting.ts';
import { setAsideBytes, setAsideHealth } from './set-aside-rule.ts';
import { countSendable, describeHeldTooOld, describeRejectedTooOld } from './too-old-rule.ts';
import { oldestPendingSeconds, samplesPerUpload, stalledMs } from './upload-progress.ts';

/** The health of the device, without the times of the last changes. */
export interface DeviceHealth {
  readonly status: HealthStatus;
  /** The programs have just started, and nothing is known to be wrong. */
  readonly isStarting: boolean;
  readonly components: Readonly<Record<string, ComponentHealth>>;
}

/** The limits that can be configured. */
export interface HealthLimits {
  readonly uploadIntervalMs: number;
  readonly healthDegradedPending: number;
  readonly healthErrorPending: number;
  readonly healthErrorAfterMs: number;
  readonly clockSkewWarnMs: number;
}

/** The limits that cannot be configured. */
const limit = {
  /** A WAL larger than this, and than the size at which a checkpoint is due, is not being checkpointed. */
  maxWalBytes: 64 * 1024 ** 2,
  /** A reader that blocks WAL checkpoints for longer than this has not ended its transaction. */
  maxWalBlockedMs: 60_000,
  /** The limits of pending samples are never lower than what is collected in this many upload intervals. */
  minPendingIntervals: 3,
  /** The first upload of a process, and each later one, is due within this many upload intervals. */
  maxUploadIntervals: 2,
  /** Rejections degrade the storage for this long. */
  rejectionShownMs: 3_600_000,
} as const;

/** What an operator can do. */
export const UPLOADER_LOG = 'run: journalctl -u thugshells-uploader';
const CHECK_RECEIVER = 'check THUGSHELLS_REMOTE_URL';
const REDUCE_LOAD = 'raise or unset THUGSHELLS_UPLOAD_MAX_RATE, or raise THUGSHELLS_INTERVAL';
const END_READER = 'end the program that keeps the database open (run: journalctl -u thugshells-collector)';
const CHECK_LOSSES = 'raise THUGSHELLS_DB_MAX_SIZE (docs/storage.md shows how to read what was lost)';
const SET_CLOCK = 'set the clock (run: timedatectl set-ntp true), or set THUGSHELLS_CLOCK_SKEW_POLICY=correct';

/** Computes the health of a device from a snapshot: a pure function. */
export function evaluateHealth(
  snapshot: Snapshot,
  limits: HealthLimits,
  { warnings = [], notices = [] }: ConfigurationFindings = {},
): DeviceHealth {
  const collectors = snapshot.collectors.map(
    (row) => [`collector.${row.collector}`, collectorHealth(row, snapshot)] as const,
  );
  const database = setAsideHealth(snapshot.setAside);
  const delivery = deliveryHealth(snapshot.verification, snapshot.nowMs);
  const components = {
    ...Object.fromEntries(collectors),
    collector: collectorProcessHealth(
      snapshot,
      collectors.map(([, component]) => component),
    ),
    uploader: uploaderHealth(snapshot, limits),
    ...(delivery === undefined ? {} : { delivery }),
    storage: storageHealth(snapshot),
    ...(database === undefined ? {} : { database }),
    time: timeHealth(snapshot, limits),
    ...configurationHealth({ warnings, notices }),
  };
  const status = worstStatus(Object.values(components).map((component) => component.status));
  return { status, isStarting: isStarting(snapshot, status), components };
}

/** Whether this uploader has just started: it waits for the collector, or has not tried its first upload yet. */
function isStarting(snapshot: Snapshot, status: HealthStatus): boolean {
  if (waitsForCollector(snapshot)) return status !== 'error';
  const { isRunning, receiver } = snapshot;
  return status === 'ok' && isRunning && receiver.condition === 'unknown' && receiver.lastDelivery === undefined;
}

/** Returns what builds the health of a component that is not ok, by its reason and its message. */
function unhealthy(status: 'degraded' | 'error', details: ComponentHealth['details']) {
  return (reason: HealthReason, message: string): ComponentHealth => ({ status, reason, message, details });
}

/** The uploads: rejected by the receiver, stalled, not running, behind, or failing. */
function uploaderHealth(snapshot: Snapshot, limits: HealthLimits): ComponentHealth {
  const { books, receiver, isRunning } = snapshot;
  const details = uploaderDetails(snapshot);
  const [degraded, error] = [unhealthy('degraded', details), unhealthy('error', details)];
  const withoutUploadMs = stalledMs(snapshot);
  const floor = limit.minPendingIntervals * samplesPerUpload(snapshot, limits.uploadIntervalMs);
  const because = receiver.reason === '' ? '' : `: ${receiver.reason}`;
  // What is wrong with a file begins with its variable, and needs no other remedy.
  const isNamed = /^THUGSHELLS_\w+=/.test(receiver.reason) || findRemedy(receiver.reason) !== undefined;
  const orCheck = (what: string): string => (isNamed ? '' : `; ${what}`);
  const check = receiver.condition === 'fault' ? `; ${UPLOADER_LOG}` : orCheck(`${CHECK_RECEIVER} and the network`);
  if (receiver.condition === 'held') {
    const remedy = orCheck(`${CHECK_RECEIVER} and THUGSHELLS_REMOTE_TOKEN_FILE`);
    return error('refused_by_receiver', `receiver rejects uploads${because}${remedy}`);
  }
  const lock = snapshot.lock?.delaysAcknowledgements ? describeBlockingLock(snapshot, false) : undefined;
  if (lock !== undefined && receiver.condition === 'taking')
    return degraded('database_locked', `uploads are not recorded: ${lock}`);
  if (withoutUploadMs > limits.healthErrorAfterMs && books.pending > Math.max(limits.healthErrorPending, floor))
    return error('no_upload', `no upload for ${formatAge(withoutUploadMs)}${because}${check}`);
  if (!isRunning) return degraded('not_running', 'uploader not running; run: systemctl start thugshells-uploader');
  // Time before the start of this process does not count.
  const overdueMs = Math.min(withoutUploadMs, snapshot.uptimeSeconds * 1000);
  if (overdueMs > limit.maxUploadIntervals * limits.uploadIntervalMs)
    return degraded('no_upload', `no upload for ${formatAge(withoutUploadMs)}${because}${check}`);
  if (countSendable(snapshot) >= Math.max(limits.healthDegradedPending, floor))
    return degraded('backlog', describeBacklog(snapshot, because));
  if (receiver.condition === 'away')
    return degraded('upload_failing', `uploads fail${because}${orCheck(CHECK_RECEIVER)}`);
  if (receiver.condition === 'fault') return degraded('internal_error', `uploads fail${because}; ${UPLOADER_LOG}`);
  const heldTooOld = describeHeldTooOld(snapshot);
  if (heldTooOld !== undefined) return degraded('samples_too_old', heldTooOld);
  const [failure] = snapshot.taskFailures;
  if (failure !== undefined)
    return degraded('internal_error', `${failure.message}: ${failure.reason}; ${UPLOADER_LOG}`);
  return { status: 'ok', message: books.pending === 0 ? 'everything delivered' : 'uploading', details };
}

/** Describes a large backlog: with the time that is left while it is being delivered, else with what to do. */
function describeBacklog({ books, receiver, drain }: Snapshot, because: string): string {
  const left = receiver.condition === 'taking' ? drain?.secondsLeft : undefined;
  if (left !== undefined)
    return `delivering a backlog of ${count(books.pending)} samples, ${duration(left)} left; nothing to do`;
  return `${count(books.pending)} samples pending${because}; if they increase, ${REDUCE_LOAD}`;
}

function uploaderDetails(snapshot: Snapshot): ComponentHealth['details'] {
  const { books, receiver, counts, oldestPendingMs } = snapshot;
  return {
    pending: books.pending,
    oldest_pending: toRfc3339(oldestPendingMs),
    oldest_pending_age_seconds: oldestPendingSeconds(snapshot),
    last_upload: toRfc3339(receiver.lastDelivery?.atMs),
    last_upload_samples: receiver.lastDelivery?.count,
    last_upload_bytes: receiver.lastDelivery?.bytesSent,
    receiver: receiver.condition,
    next_attempt: toRfc3339(receiver.nextAttemptAtMs),
    held_too_old: snapshot.tooOld?.held,
    uploaded: counts.uploaded,
    failures: counts.failures,
    bytes_sent: counts.bytesSent,
  };
}

/** The database: failing, with a WAL that is not checkpointed, or with samples that were dropped or rejected. */
function storageHealth(snapshot: Snapshot): ComponentHealth {
  const { nowMs, walBytes, books, storage, rejectedAgeMs, droppedInLastHour } = snapshot;
  const details = storageDetails(snapshot);
  const lock = describeBlockingLock(snapshot, isHeartbeatLate(snapshot));
  const [degraded, error] = [unhealthy('degraded', details), unhealthy('error', details)];
  if (lock !== undefined) return error('database_locked', `samples are not stored: ${lock}`);
  if (storage.failure !== null)
    return error('write_failing', `samples are not stored: ${storage.failure}; ${COLLECTOR_LOG}`);
  if (walBytes > Math.max(limit.maxWalBytes, storage.walLimitBytes ?? 0))
    return degraded('wal_too_large', `WAL is ${bytes(walBytes)} large; ${END_READER}`);
  if (storage.walBlockedSinceMs !== null && nowMs - storage.walBlockedSinceMs > limit.maxWalBlockedMs) {
    const since = formatTime(storage.walBlockedSinceMs);
    return degraded('wal_checkpoints_blocked', `a reader has blocked WAL checkpoints since ${since}; ${END_READER}`);
  }
  if (droppedInLastHour > 0)
    return degraded('samples_dropped', `${count(droppedInLastHour)} samples dropped in the last hour; ${CHECK_LOSSES}`);
  if (rejectedAgeMs !== undefined && rejectedAgeMs <= limit.rejectionShownMs)
    return degraded(
      'samples_rejected',
      `samples rejected in the last hour, ${count(books.rejected)} in total${describeRejectedTooOld(snapshot)}; run: thugshells-uploader quarantine`,
    );
  return { status: 'ok', message: 'storing', details };
}

function storageDetails(snapshot: Snapshot): ComponentHealth['details'] {
  const { databaseBytes, walBytes, books, storage, droppedInLastHour, setAside } = snapshot;
  return {
    database_bytes: databaseBytes,
    wal_bytes: walBytes,
    max_bytes: storage.maxBytes ?? undefined,
    ...books,
    waiting_in_memory: storage.bufferedSamples,
    dropped_in_last_hour: droppedInLastHour,
    ...(setAside.length === 0 ? {} : { set_aside_bytes: setAsideBytes(setAside) }),
  };
}

/** The clock: samples held because of it, or skewed from the receiver's. */
function timeHealth(
  { skewMs, skewErrorMs, skewFailure, held }: Snapshot,
  { clockSkewWarnMs }: HealthLimits,
): ComponentHealth {
  const details = {
    ...(skewMs === undefined ? {} : { skew_ms: Math.round(skewMs), skew_error_ms: Math.round(skewErrorMs ?? 0) }),
    ...(held === undefined ? {} : { held: held.count, held_because: held.reason }),
  };
  const degraded = unhealthy('degraded', details);
  if (held !== undefined)
    return degraded('samples_held', `${count(held.count)} samples held: ${held.reason}; ${SET_CLOCK}`);
  if (skewMs === undefined) {
    const because = skewFailure === undefined ? '' : `: ${skewFailure}`;
    return { status: 'ok', message: `clock not compared with the receiver yet${because}`, details };
  }
  if (Math.abs(skewMs) <= clockSkewWarnMs) return { status: 'ok', message: 'clock agrees with the receiver', details };
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return degraded('clock_skewed', `clock is ${formatAge(Math.abs(skewMs))} ${direction} the receiver; ${SET_CLOCK}`);
}
