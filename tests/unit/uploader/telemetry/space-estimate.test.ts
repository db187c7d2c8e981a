import { expect, test } from '@jest/globals';

import { estimateSpaceSeconds, readFreeBytes } from '../../../../uploader/src/telemetry/space-estimate.ts';

const source = { pending: 0, samplesPerSecond: 5, databaseBytes: 1e6, maxBytes: 512 * 1024 ** 2, freeBytes: 1e12 };

test('space estimate: is what the maximum of the database leaves at the rate of collection', () => {
  const days = (estimateSpaceSeconds(source) ?? 0) / 86_400;
  expect([days > 20, days < 22]).toEqual([true, true]);
});

test('space estimate: pending samples and a full disk leave less', () => {
  const whole = estimateSpaceSeconds(source)!;
  expect(estimateSpaceSeconds({ ...source, pending: 5_000 })).toBe(whole - 1_000);
  expect(estimateSpaceSeconds({ ...source, freeBytes: 0 })).toBeCloseTo(1e6 / 46 / 5);
  expect(estimateSpaceSeconds({ ...source, pending: 1e9 })).toBe(0);
  expect(estimateSpaceSeconds({ ...source, freeBytes: undefined })).toBe(whole);
});

test('space estimate: is not known before something was collected, or without the maximum', () => {
  expect(estimateSpaceSeconds({ ...source, samplesPerSecond: 0 })).toBeUndefined();
  expect(estimateSpaceSeconds({ ...source, maxBytes: null })).toBeUndefined();
});

test('space estimate: the free space of a file system that does not exist is not known', () => {
  expect(readFreeBytes('/tmp/a')).toBeGreaterThan(0);
  expect(readFreeBytes('/nowhere/at/all')).toBeUndefined();
});
