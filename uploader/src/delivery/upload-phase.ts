import { createHash } from 'node:crypto';

/**
 * Returns the milliseconds until a device's next upload. Its phase of the interval is derived from its name and counted by
 * the wall clock, so that the uploads of a thousand devices powered on in the same second spread over the interval.
 */
export function calculateUploadDelayMs(deviceId: string, intervalMs: number, nowMs: number): number {
  const phase = createHash('sha256').update(deviceId).digest().readUInt32BE() / 2 ** 32;
  const sinceLastMs = (nowMs - phase * intervalMs) % intervalMs;
  return intervalMs - sinceLastMs;
}
