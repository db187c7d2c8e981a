import type { UploaderState } from './uploader-state.ts';

const DAY_SECONDS = 86_400;
/** A rate over less than this would mostly show the start of the process. */
const MIN_UPTIME_SECONDS = 60;

/** Returns the bytes that the uploader sends per day, headers included, averaged since its start; undefined in the first minute. */
export function sentPerDay({
  counts,
  uptimeSeconds,
}: Pick<UploaderState, 'counts' | 'uptimeSeconds'>): number | undefined {
  return uptimeSeconds < MIN_UPTIME_SECONDS ? undefined : (counts.bytesSent / uptimeSeconds) * DAY_SECONDS;
}
