import { expect, test } from '@jest/globals';

import { calculateUploadDelayMs } from '../../../../uploader/src/delivery/upload-phase.ts';

const NOW = 1_700_000_000_123;
const INTERVAL_MS = 30_000;

/** Returns a device's phase of the interval, from 0 to 1. */
function findPhase(deviceId: string, nowMs: number): number {
  return ((nowMs + calculateUploadDelayMs(deviceId, INTERVAL_MS, nowMs)) % INTERVAL_MS) / INTERVAL_MS;
}

test('upload phase: a thousand devices powered on in the same second spread over the interval', () => {
  const tenths = new Array<number>(10).fill(0);
  for (let device = 0; device < 1_000; device++) tenths[Math.floor(10 * findPhase(`device-${device}`, NOW))]! += 1;
  // A hundred each, within what chance allows.
  expect(Math.min(...tenths)).toBeGreaterThan(60);
  expect(Math.max(...tenths)).toBeLessThan(140);
});

test('upload phase: is the same for a device at any time, and its next upload is due within an interval', () => {
  for (let laterMs = 0; laterMs < 3 * INTERVAL_MS; laterMs += 777) {
    expect(findPhase('device-1', NOW + laterMs)).toBeCloseTo(findPhase('device-1', NOW), 6);
    const untilMs = calculateUploadDelayMs('device-1', INTERVAL_MS, NOW + laterMs);
    expect([untilMs > 0, untilMs <= INTERVAL_MS]).toEqual([true, true]);
  }
});
