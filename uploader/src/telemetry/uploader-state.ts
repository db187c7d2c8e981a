import type { Clock } from '@thugshells/shared/clock.ts';
import { DailyRate } from '@thugshells/shared/daily-rate.ts';
import type { TaskFailure } from '@thugshells/shared/recurring-work.ts';
import {
  NO_UPLOADS,
  type Judgement,
  type ReceiverCondition,
  type UploadCounts,
  type UploaderReport,
  type UploadRecord,
} from '@thugshells/shared/state/uploader-report.ts';
import type { VerificationState } from '@thugshells/shared/state/verification-state.ts';

import type { ReceiverClock } from '../clock/receiver-clock.ts';
import type { DeliveryRecord, ReceiverState } from '../delivery/receiver-state.ts';
import type { TooOldSamples, TooOldState } from '../delivery/too-old-samples.ts';
import type { LastRejection } from './last-rejection.ts';
import type { UploadCounters } from './upload-counters.ts';

/** The state of the uploader at one moment. */
export interface UploaderState {
  /** The current time by the clock that samples are stamped with, Unix milliseconds. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** 0 if no uploader runs: then this is its last report. */
  readonly uptimeSeconds: number;
  readonly isRunning: boolean;
  readonly receiver: {
    readonly condition: ReceiverCondition;
    readonly reason: string;
    readonly sinceMs: number;
    /** When the next attempt is due, Unix milliseconds; undefined if none waits. */
    readonly nextAttemptAtMs?: number | undefined;
    readonly lastDelivery: DeliveryRecord | undefined;
  };
  /** Newest first. */
  readonly uploads: readonly UploadRecord[];
  readonly counts: UploadCounts;
  readonly skewMs: number | undefined;
  readonly skewErrorMs: number | undefined;
  /** Why the receiver's time could not be learned the last time. */
  readonly skewFailure?: string | undefined;
  /** Samples that the receiver does not accept because of their age; undefined while its limit is unknown. */
  readonly tooOld?: TooOldState | undefined;
  /** When samples were last rejected, Unix milliseconds; undefined for never. */
  readonly rejectedAtMs: number | undefined;
  /** Bytes that this process writes to the disk per day; undefined while unknown. */
  readonly writtenPerDay: number | undefined;
  /** Bytes that this process sends per day, headers included; undefined while unknown. */
  readonly sentPerDay: number | undefined;
  /** Work on timers that failed the last time. */
  readonly taskFailures: readonly TaskFailure[];
  /** Undefined without verification in the background. */
  readonly verification?: VerificationState | undefined;
}

export interface UploaderStateSources {
  readonly clock: Clock;
  readonly receiver: ReceiverState;
  readonly skew: ReceiverClock;
  readonly tooOld: Pick<TooOldSamples, 'state'>;
  readonly counters: UploadCounters;
  readonly lastRejection: LastRejection;
  /** Returns the bytes that this process has written to the disk so far; undefined if the kernel does not count them. */
  readonly readWrittenBytes: () => number | undefined;
  /** Key by which the status server proves to be this process's. */
  readonly statusKey: string;
  /** Counts the samples rejected so far. */
  readonly rejected: () => number;
  readonly taskFailures: () => readonly TaskFailure[];
  readonly verification?: () => VerificationState | undefined;
}

/** Reads the state of this process, for its status server and for the report in the database. */
export class UploaderStateReader {
  readonly #sources: UploaderStateSources;
  readonly #startedAtMs: number;
  readonly #startedAt: number;
  readonly #writtenRate: DailyRate;
  readonly #sentRate: DailyRate;
  /** URL of the status server; undefined until it listens. */
  endpoint: string | undefined;

  constructor(sources: UploaderStateSources) {
    this.#sources = sources;
    this.#startedAtMs = sources.skew.now();
    this.#startedAt = sources.clock.monotonic();
    this.#writtenRate = new DailyRate(sources.clock, sources.readWrittenBytes);
    this.#sentRate = new DailyRate(sources.clock, () => sources.counters.counts.bytesSent);
  }

  read(): UploaderState {
    const { clock, receiver, skew, tooOld, counters, lastRejection, rejected, taskFailures, verification } =
      this.#sources;
    const { condition, reason, sinceMs, nextAttemptAtMs, lastDelivery, uploads } = receiver;
    const nowMs = skew.now();
    return {
      nowMs,
      startedAtMs: this.#startedAtMs,
      uptimeSeconds: (clock.monotonic() - this.#startedAt) / 1000,
      isRunning: true,
      receiver: { condition, reason, sinceMs, nextAttemptAtMs, lastDelivery },
      uploads,
      counts: counters.counts,
      skewMs: skew.skewMs,
      skewErrorMs: skew.errorMs,
      skewFailure: skew.failure,
      tooOld: tooOld.state,
      rejectedAtMs: lastRejection.update(rejected(), nowMs),
      writtenPerDay: this.#writtenRate.perDay(),
      sentPerDay: this.#sentRate.perDay(),
      taskFailures: taskFailures(),
      verification: verification?.(),
    };
  }

  /** Builds the report that the uploader leaves in the database. */
  report(judgement: Judgement): UploaderReport {
    const { nowMs, startedAtMs, counts, receiver, uploads, rejectedAtMs, verification } = this.read();
    const { lastDelivery, condition, reason, sinceMs } = receiver;
    return {
      writtenAtMs: nowMs,
      startedAtMs,
      endpoint: this.endpoint,
      statusKey: this.#sources.statusKey,
      counts,
      receiver: { condition, reason, sinceMs },
      lastDelivery,
      uploads,
      rejectedAtMs,
      judgement,
      verification,
    };
  }
}

/** Builds the state of an uploader that does not run from the report that it left in the database. */
export function toStoppedState(
  report: UploaderReport | undefined,
  { nowMs, skewMs }: { readonly nowMs: number; readonly skewMs: number | undefined },
): UploaderState {
  const receiver = report?.receiver ?? { condition: 'unknown' as const, reason: '', sinceMs: nowMs };
  return {
    nowMs,
    startedAtMs: report?.startedAtMs ?? nowMs,
    uptimeSeconds: 0,
    isRunning: false,
    receiver: { ...receiver, lastDelivery: report?.lastDelivery },
    uploads: report?.uploads ?? [],
    counts: report?.counts ?? NO_UPLOADS,
    skewMs,
    skewErrorMs: undefined,
    rejectedAtMs: report?.rejectedAtMs,
    writtenPerDay: undefined,
    sentPerDay: undefined,
    taskFailures: [],
    verification: report?.verification,
  };
}
