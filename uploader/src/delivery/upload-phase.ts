import { createHash } from 'node:crypto';

/**
 * Milliseconds until a device's next turn: its own place in the interval, from its name, by the wall clock. A thousand
 * boards that got power in the same second spread over the interval all the same.
 */
export function calculateUploadDelayMs(deviceId: string, intervalMs: number, nowMs: number): number {
  const place = createHash('sha256').update(deviceId).digest().readUInt32BE() / 2 ** 32;
  const sinceTurn = (nowMs - place * intervalMs) % intervalMs;
  return intervalMs - sinceTurn;
}
