import type { Clock } from '@thugshells/shared/clock.ts';
import { NO_UPLOADS, type Judgement, type UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

import type { ReceiverClock } from '../clock/receiver-clock.ts';
import type { ReceiverState } from '../delivery/receiver-state.ts';
import type { OwnWrites } from './disk-writes.ts';
import type { Rejections } from './rejections.ts';
import type { UploadsNow } from './snapshot.ts';
import type { UploadCounters } from './upload-counters.ts';

export interface OwnStateSources {
  readonly clock: Clock;
  readonly receiver: ReceiverState;
  readonly skew: ReceiverClock;
  readonly counters: UploadCounters;
  readonly rejections: Rejections;
  readonly writes: OwnWrites;
  /** How many samples were rejected so far. */
  readonly rejected: () => number;
}

/** What the uploader knows of itself: for its sidecar, and for the database. */
export class OwnState {
  readonly #sources: OwnStateSources;
  readonly #startedAtMs: number;
  readonly #startedAt: number;
  /** Where the sidecar answers; undefined until it does. */
  endpoint: string | undefined;

  constructor(sources: OwnStateSources) {
    this.#sources = sources;
    this.#startedAtMs = sources.skew.now();
    this.#startedAt = sources.clock.monotonic();
  }

  now(): UploadsNow {
    const { clock, receiver, skew, counters, rejections, writes, rejected } = this.#sources;
    const { condition, reason, sinceMs, lastDelivery, uploads } = receiver;
    const nowMs = skew.now();
    return {
      nowMs,
      startedAtMs: this.#startedAtMs,
      uptimeSeconds: (clock.monotonic() - this.#startedAt) / 1000,
      isRunning: true,
      receiver: { condition, reason, sinceMs, lastDelivery },
      uploads,
      counts: counters.counts,
      skewMs: skew.skewMs,
      skewErrorMs: skew.errorMs,
      rejectedAtMs: rejections.look(rejected(), nowMs),
      writtenPerDay: writes.perDay(),
    };
  }

  report(judgement: Judgement): UploaderReport {
    const { nowMs, startedAtMs, counts, receiver, uploads, rejectedAtMs } = this.now();
    const { lastDelivery, ...rest } = receiver;
    return {
      writtenAtMs: nowMs,
      startedAtMs,
      endpoint: this.endpoint,
      counts,
      receiver: rest,
      lastDelivery,
      uploads,
      rejectedAtMs,
      judgement,
    };
  }
}

/** What is known of an uploader that does not run, by what it left in the database. */
export function stateOfStopped(
  report: UploaderReport | undefined,
  { nowMs, skewMs }: { readonly nowMs: number; readonly skewMs: number | undefined },
): UploadsNow {
  const receiver = report?.receiver ?? { condition: 'unknown' as const, reason: '', sinceMs: nowMs };
  return {
    ...{ nowMs, startedAtMs: report?.startedAtMs ?? nowMs, uptimeSeconds: 0, isRunning: false },
    receiver: { ...receiver, lastDelivery: report?.lastDelivery },
    uploads: report?.uploads ?? [],
    counts: report?.counts ?? NO_UPLOADS,
    ...{ skewMs, skewErrorMs: undefined, rejectedAtMs: report?.rejectedAtMs, writtenPerDay: undefined },
  };
}
