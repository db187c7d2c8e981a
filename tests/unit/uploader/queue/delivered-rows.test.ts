import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { DeliveredRows } from '../../../../uploader/src/queue/delivered-rows.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const MINUTE_MS = 60_000;
let stored: StoredSamples;

beforeEach(() => void (stored = new StoredSamples()));
afterEach(() => stored.remove());

test.each([10, 12_000])('delivered rows: the times of %i rows include those that rows have of their own', (count) => {
  const aged = stored.series('aged');
  stored.rows(5);
  stored.beginEpoch(500, true);
  stored.rows(5, 'other');
  stored.add(aged, START_MS - 30 * MINUTE_MS, 1);
  stored.rows(count);
  const lastMs = START_MS + (10 + count) * 1000;
  stored.add(aged, lastMs - 3 * MINUTE_MS, 1);
  // A time that no sample can have.
  stored.add(aged, 9e15, 1);
  stored.add(aged, lastMs - 2 * MINUTE_MS, 1);
  const found = new DeliveredRows(stored.database).findNewest([1, 2 * count + 20])!;
  expect([found.firstId, found.lastId, found.epoch.firstId]).toEqual([6, count + 14, 6]);
  expect([found.fromMs - START_MS, found.throughMs - lastMs]).toEqual([500 - 30 * MINUTE_MS, 500]);
});

test('delivered rows: the latest time without a row is before all that follow one another, in every epoch', () => {
  const load = stored.series('load');
  for (const ms of [0, 7, 8]) stored.add(load, START_MS + ms, 1);
  stored.beginEpoch(-1_000, true);
  stored.add(load, START_MS + 1_009, 1);
  const rows = new DeliveredRows(stored.database);
  const found = [10, 9, 8, 6].map((ms) => rows.findFreeTime(START_MS + ms) - START_MS);
  expect(found).toEqual([10, 6, 6, 6]);
});
