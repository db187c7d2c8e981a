import type { Snapshot } from './snapshot.ts';

const DAY_SECONDS = 86_400;
/** A rate over less than this would mostly show the start of the process. */
const LEAST_SECONDS = 60;

/** Bytes that the uploader sends in a day at the pace of this process, headers included; undefined while it is too young. */
export function sentPerDay({ counts, uptimeSeconds }: Pick<Snapshot, 'counts' | 'uptimeSeconds'>): number | undefined {
  return uptimeSeconds < LEAST_SECONDS ? undefined : (counts.bytesSent / uptimeSeconds) * DAY_SECONDS;
}
