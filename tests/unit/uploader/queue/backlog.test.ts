import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let settled: SettledRanges;
let backlog: Backlog;

beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  backlog = new Backlog(stored.database, settled);
});
afterEach(() => stored.remove());

describe('backlog: findSendable', () => {
  test('finds nothing in an empty database', () => {
    expect(backlog.findSendable([])).toEqual([]);
    expect(backlog.findOldestPendingMs()).toBeUndefined();
  });

  test('begins at the first gap between the settled ranges', () => {
    stored.rows(100);
    settled.deliver([[1, 40]]);
    expect(backlog.findSendable([])).toEqual([[41, 100]]);
  });

  test('finds only rows above a given id', () => {
    stored.rows(100);
    settled.deliver([[1, 40]]);
    expect(backlog.findSendable([], 90)).toEqual([[91, 100]]);
  });

  test('leaves out ids that are settled and not committed yet', () => {
    stored.rows(10);
    settled.deliver([[1, 2]]);
    expect(
      backlog.findSendable([
        [3, 5],
        [7, 7],
      ]),
    ).toEqual([
      [6, 6],
      [8, 10],
    ]);
    expect(backlog.findSendable([[3, 10]])).toEqual([]);
  });

  test('begins each range with a row that exists', () => {
    stored.rows(20);
    stored.drop([1, 2, 3, 8, 9, 10, 11], 'cap');
    expect(backlog.findSendable([])).toEqual([[4, 20]]);
  });

  test('skips a gap without rows', () => {
    stored.rows(9);
    settled.deliver([[4, 6]]);
    stored.drop([1, 2, 3], 'cap');
    expect(backlog.findSendable([])).toEqual([[7, 9]]);
  });

  test('finds nothing once everything is settled', () => {
    stored.rows(3);
    settled.deliver([[1, 2]]);
    settled.reject([{ id: 3, reason: 'bad' }]);
    expect(backlog.findSendable([])).toEqual([]);
  });

  test('leaves out rows of an untrusted epoch and finds later ones', () => {
    stored.rows(5);
    stored.beginEpoch(0, false);
    stored.rows(5);
    stored.beginEpoch(0, true);
    stored.rows(5);
    expect(backlog.findSendable([])).toEqual([
      [1, 5],
      [11, 15],
    ]);
  });

  test('finds the rows of an epoch as soon as it is trusted', () => {
    stored.beginEpoch(0, false);
    stored.rows(5);
    expect(backlog.findSendable([])).toEqual([]);
    stored.database.exec('UPDATE epochs SET trusted = 1');
    expect(backlog.findSendable([])).toEqual([[1, 5]]);
  });

  test('leaves out ids that no row has yet', () => {
    stored.rows(2);
    const all = backlog.findSendable([]);
    stored.rows(2);
    expect(all).toEqual([[1, 2]]);
    settled.deliver(all);
    expect(backlog.findSendable([])).toEqual([[3, 4]]);
  });
});

describe('backlog: findOldestPendingMs', () => {
  test('returns a corrected time', () => {
    stored.beginEpoch(5_000, true);
    stored.rows(3);
    settled.deliver([[1, 1]]);
    expect(backlog.findOldestPendingMs()).toBe(START_MS + 1_000 + 5_000);
  });

  test('includes held rows', () => {
    stored.beginEpoch(0, false);
    stored.rows(3);
    expect(backlog.findOldestPendingMs()).toBe(START_MS);
  });

  test('skips a gap without rows', () => {
    stored.rows(6);
    stored.drop([1, 2], 'cap');
    settled.deliver([[3, 4]]);
    expect(backlog.findOldestPendingMs()).toBe(START_MS + 4_000);
  });

  test('takes a row with a time of its own to be pending since its scrape, but for an hour', () => {
    stored.rows(3);
    const aged = stored.series('aged');
    stored.add(aged, START_MS - 1_800_000, 1);
    settled.deliver([[1, 3]]);
    // Its scrape was after that of the row before.
    expect(backlog.findOldestPendingMs()).toBe(START_MS + 2_000);
    stored.beginEpoch(5_000, true);
    stored.add(aged, START_MS - 7_200_000, 1);
    settled.deliver([[4, 4]]);
    expect(backlog.findOldestPendingMs()).toBe(START_MS - 3_600_000 + 5_000);
  });

  test('returns undefined if everything is settled', () => {
    stored.rows(2);
    settled.deliver([[1, 2]]);
    expect(backlog.findOldestPendingMs()).toBeUndefined();
  });
});

test('backlog: findLastIdBefore compares corrected times, not stored ones', () => {
  stored.beginEpoch(5_000, true);
  stored.rows(10);
  expect(backlog.findLastIdBefore(START_MS + 5_000)).toBe(0);
  expect(backlog.findLastIdBefore(START_MS + 5_000 + 3_001)).toBe(4);
  expect(backlog.findLastIdBefore(START_MS + 60_000)).toBe(10);
});

test('backlog: findLastIdBefore goes by scrapes, not by rows with a time of their own among them', () => {
  stored.rows(5);
  stored.add(stored.series('aged'), START_MS + 1_500, 1);
  stored.rows(5);
  expect(backlog.findLastIdBefore(START_MS + 2_000)).toBe(2);
  expect(backlog.findLastIdBefore(START_MS + 4_000)).toBe(4);
});

test('backlog: readBooks combines the counts of both programs, and they balance', () => {
  stored.rows(10);
  settled.deliver([[1, 4]]);
  settled.reject([{ id: 7, reason: 'bad' }]);
  stored.drop([9], 'cap');
  expect(backlog.readBooks()).toEqual({ collected: 10, delivered: 4, pending: 4, rejected: 1, dropped: 1 });
  expect(stored.idsOf('pending')).toEqual([5, 6, 8, 10]);
});
