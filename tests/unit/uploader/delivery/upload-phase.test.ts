import { expect, test } from '@jest/globals';

import { calculateUploadDelayMs } from '../../../../uploader/src/delivery/upload-phase.ts';

const NOW = 1_700_000_000_123;
const INTERVAL_MS = 30_000;

/** Where in the interval a board's turn comes, from 0 to 1. */
function placeOf(deviceId: string, nowMs: number): number {
  return ((nowMs + calculateUploadDelayMs(deviceId, INTERVAL_MS, nowMs)) % INTERVAL_MS) / INTERVAL_MS;
}

test('a thousand boards that got power in the same second spread over the interval', () => {
  const tenths = new Array<number>(10).fill(0);
  for (let board = 0; board < 1_000; board++) tenths[Math.floor(10 * placeOf(`board-${board}`, NOW))]! += 1;
  // A hundred each, give or take what chance does.
  expect(Math.min(...tenths)).toBeGreaterThan(60);
  expect(Math.max(...tenths)).toBeLessThan(140);
});

test('a board has one place, whenever it asks, and its turn comes within an interval', () => {
  for (let laterMs = 0; laterMs < 3 * INTERVAL_MS; laterMs += 777) {
    expect(placeOf('board-1', NOW + laterMs)).toBeCloseTo(placeOf('board-1', NOW), 6);
    const untilMs = calculateUploadDelayMs('board-1', INTERVAL_MS, NOW + laterMs);
    expect([untilMs > 0, untilMs <= INTERVAL_MS]).toEqual([true, true]);
  }
});
