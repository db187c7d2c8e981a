import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';
import type { ReceiverCondition } from '@thugshells/shared/state/uploader-report.ts';

import { estimateSpaceSeconds } from '../telemetry/space-estimate.ts';
import type { Snapshot } from '../telemetry/snapshot.ts';
import type { HealthStatus } from './component-health.ts';
import type { HealthReport } from './health-report.ts';
import { toJournalLines, type JournalLine } from './journal-lines.ts';
import { oldestPendingSeconds, samplesPerUpload } from './upload-progress.ts';

/** One of the last uploads. */
export interface UploadLine {
  /** RFC 3339. */
  readonly at: string;
  readonly samples: number;
  readonly bytes: number;
  readonly outcome: 'delivered' | 'partial' | 'failed';
  readonly reason: string;
  readonly times: number;
}

/** What the receiver came to last. */
export interface ReceiverLine {
  /** THUGSHELLS_REMOTE_URL without secrets. */
  readonly address?: string;
  readonly condition: ReceiverCondition;
  /** Why nothing is delivered, or why its time is not known before the first upload; else empty. */
  readonly reason: string;
  /** RFC 3339, as the other times. */
  readonly since: string;
  readonly next_attempt?: string;
  /** When it accepted samples last; missing for never. */
  readonly last_success?: string;
}

/** The health report and the numbers behind it: what `status --json` prints and /status.json returns. */
export interface DeviceStatus extends HealthReport {
  /** The messages of the components with the worst status. */
  readonly reason: string;
  readonly books: Snapshot['books'];
  readonly backlog: {
    /** Undefined if nothing is pending. */
    readonly oldest_pending_age_seconds?: number;
    /** Pending rows that are held because their time may be wrong. */
    readonly held: number;
    /** Share of the backlog that has been delivered, 0 to 1; undefined if there is no backlog. */
    readonly done?: number;
    readonly seconds_left?: number;
    /** For how long the database can keep what is collected while nothing is delivered; missing while unknown. */
    readonly space_seconds?: number;
  };
  readonly uploads: readonly UploadLine[];
  readonly receiver: ReceiverLine;
  /** Bytes per day at the rate of the last day; missing while unknown. */
  readonly per_day: { readonly sent_bytes?: number; readonly written_bytes?: number };
  /** The last warnings and errors of both programs, the newest first. */
  readonly journal: readonly JournalLine[];
}

/** The status that an upload is shown with, by its outcome. */
export const OUTCOME_STATUS: Readonly<Record<UploadLine['outcome'], HealthStatus>> = {
  delivered: 'ok',
  partial: 'degraded',
  failed: 'error',
};

/** Returns the state in one word: `starting` in place of what a device is that has just started. */
export function stateWord({ starting, status }: Pick<HealthReport, 'starting' | 'status'>): string {
  return starting === true ? 'starting' : status;
}

/** Combines a report with the snapshot that it was computed from. */
export function toDeviceStatus(report: HealthReport, snapshot: Snapshot, remoteUrl?: string): DeviceStatus {
  const { books, oldestPendingMs, held, drain, uploads, databaseBytes, freeBytes, storage } = snapshot;
  const samplesPerSecond = samplesPerUpload(snapshot, 1_000);
  const sources = { samplesPerSecond, databaseBytes, freeBytes, maxBytes: storage.maxBytes };
  const space = estimateSpaceSeconds({ pending: books.pending, ...sources });
  return {
    ...report,
    reason: summarize(report),
    books,
    backlog: {
      ...(oldestPendingMs === undefined ? {} : { oldest_pending_age_seconds: oldestPendingSeconds(snapshot) }),
      held: held?.count ?? 0,
      ...(drain === undefined ? {} : { done: drain.done }),
      ...(drain?.secondsLeft === undefined ? {} : { seconds_left: drain.secondsLeft }),
      ...(space === undefined ? {} : { space_seconds: Math.round(space) }),
    },
    uploads: uploads.map(({ atMs, ...upload }) => ({ at: formatTime(atMs), ...upload })),
    receiver: {
      ...(remoteUrl === undefined ? {} : { address: maskCredentials(remoteUrl) }),
      ...toReceiverLine(snapshot),
    },
    per_day: ratesPerDay(snapshot),
    journal: toJournalLines(snapshot.journals),
  };
}

function toReceiverLine({ receiver, skewFailure }: Snapshot): ReceiverLine {
  const { condition, reason, sinceMs, nextAttemptAtMs, lastDelivery } = receiver;
  return {
    condition,
    reason: condition === 'unknown' ? (skewFailure ?? reason) : reason,
    since: formatTime(sinceMs),
    ...(nextAttemptAtMs === undefined ? {} : { next_attempt: formatTime(nextAttemptAtMs) }),
    ...(lastDelivery === undefined ? {} : { last_success: formatTime(lastDelivery.atMs) }),
  };
}

/** Joins the messages of the components with the worst status. */
function summarize({ status, components }: HealthReport): string {
  if (status === 'ok') return 'all components are ok';
  return listWorst({ status, components })
    .map((name) => `${name}: ${components[name]!.message}`)
    .join('; ');
}

/** Lists the components with the worst status, without those that another one implies. */
export function listWorst({ status, components }: Pick<HealthReport, 'status' | 'components'>): string[] {
  return Object.keys(components).filter(
    (name) => components[name]!.status === status && !isImplied(name, status, components),
  );
}

/** Whether the status of the collector's process implies this one: without the process each collector is late. */
function isImplied(name: string, status: HealthStatus, components: HealthReport['components']): boolean {
  return name.startsWith('collector.') && components['collector']?.status === status;
}

function ratesPerDay(snapshot: Snapshot): DeviceStatus['per_day'] {
  const { writtenPerDay, sentPerDay: sent, storage } = snapshot;
  const written =
    storage.writtenPerDay === null || writtenPerDay === undefined ? undefined : storage.writtenPerDay + writtenPerDay;
  return {
    ...(sent === undefined ? {} : { sent_bytes: Math.round(sent) }),
    ...(written === undefined ? {} : { written_bytes: Math.round(written) }),
  };
}
