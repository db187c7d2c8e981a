import type { Component, Status as State } from './rules.ts';
import type { HealthReport } from './monitor.ts';
import { sentPerDay } from '../telemetry/sent-per-day.ts';
import type { Snapshot } from '../telemetry/snapshot.ts';

/** One line of the last uploads. */
export interface UploadLine {
  /** RFC 3339. */
  readonly at: string;
  readonly samples: number;
  readonly bytes: number;
  readonly outcome: 'delivered' | 'partial' | 'failed';
  readonly reason: string;
  readonly times: number;
}

/** What a person looks at: the health report, and the numbers behind it. `status --json` and /status.json print it. */
export interface BoxStatus extends HealthReport {
  /** The message of what is worst; what there is to know first. */
  readonly reason: string;
  readonly books: Snapshot['books'];
  readonly backlog: {
    /** Undefined where nothing is pending. */
    readonly oldest_pending_age_seconds?: number;
    /** Pending rows that are held, since their time may be wrong. */
    readonly held: number;
    /** Share of a drain that is done, 0 to 1; undefined where there is no backlog. */
    readonly done?: number;
    readonly seconds_left?: number;
  };
  readonly uploads: readonly UploadLine[];
  /** Bytes in a day at the present pace; missing where it is not known yet. */
  readonly per_day: { readonly sent_bytes?: number; readonly written_bytes?: number };
}

/** Puts a report and the snapshot that it was made of together. */
export function statusOf(report: HealthReport, snapshot: Snapshot): BoxStatus {
  const { books, oldestPendingMs, held, drain, nowMs, uploads } = snapshot;
  return {
    ...report,
    reason: reasonOf(report),
    books,
    backlog: {
      ...(oldestPendingMs === undefined
        ? {}
        : { oldest_pending_age_seconds: Math.max(0, nowMs - oldestPendingMs) / 1000 }),
      held: held?.count ?? 0,
      ...(drain === undefined ? {} : { done: drain.done }),
      ...(drain?.secondsLeft === undefined ? {} : { seconds_left: drain.secondsLeft }),
    },
    uploads: uploads.map(({ atMs, ...upload }) => ({ at: new Date(atMs).toISOString(), ...upload })),
    per_day: perDay(snapshot),
  };
}

/** The components of the worst state, in words; of a box that is ok, that it is. */
function reasonOf({ status, components }: HealthReport): string {
  if (status === 'ok') return 'Everything works.';
  const worst = Object.entries(components).filter(
    ([name, component]) => component.status === status && !isExplained(name, components, status),
  );
  return worst.map(([name, { message }]) => `${name}: ${message}`).join('; ');
}

/** A collector that is late is no news where the whole process is gone. */
function isExplained(name: string, components: Readonly<Record<string, Component>>, status: State): boolean {
  return name.startsWith('collector.') && components['collector']?.status === status;
}

function perDay(snapshot: Snapshot): BoxStatus['per_day'] {
  const { writtenPerDay, storage } = snapshot;
  const sent = sentPerDay(snapshot);
  const written =
    storage.writtenPerDay === null || writtenPerDay === undefined ? undefined : storage.writtenPerDay + writtenPerDay;
  return {
    ...(sent === undefined ? {} : { sent_bytes: Math.round(sent) }),
    ...(written === undefined ? {} : { written_bytes: Math.round(written) }),
  };
}
