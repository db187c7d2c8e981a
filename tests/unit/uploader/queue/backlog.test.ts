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

describe('what may be sent', () => {
  test('is nothing in an empty database', () => {
    expect(backlog.findSendable([])).toEqual([]);
    expect(backlog.findOldestPendingMs()).toBeUndefined();
  });

  test('begins at the first gap in what is settled', () => {
    stored.rows(100);
    settled.deliver([[1, 40]]);
    expect(backlog.findSendable([])).toEqual([[41, 100]]);
  });

  test('may be asked for above an id', () => {
    stored.rows(100);
    settled.deliver([[1, 40]]);
    expect(backlog.findSendable([], 90)).toEqual([[91, 100]]);
  });

  test('leaves out what is settled and not committed yet', () => {
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

  test('begins with a row that exists', () => {
    stored.rows(20);
    stored.drop([1, 2, 3, 8, 9, 10, 11], 'cap');
    expect(backlog.findSendable([])).toEqual([[4, 20]]);
  });

  test('steps over a gap in which no row is left', () => {
    stored.rows(9);
    settled.deliver([[4, 6]]);
    stored.drop([1, 2, 3], 'cap');
    expect(backlog.findSendable([])).toEqual([[7, 9]]);
  });

  test('is nothing once everything is settled', () => {
    stored.rows(3);
    settled.deliver([[1, 2]]);
    settled.reject([{ id: 3, reason: 'bad' }]);
    expect(backlog.findSendable([])).toEqual([]);
  });

  test('is never a row of an epoch whose true time is not known, but the later ones', () => {
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

  test('is the rows of an epoch as soon as its true time is known', () => {
    stored.beginEpoch(0, false);
    stored.rows(5);
    expect(backlog.findSendable([])).toEqual([]);
    stored.database.exec('UPDATE epochs SET trusted = 1');
    expect(backlog.findSendable([])).toEqual([[1, 5]]);
  });

  test('is an id only when it has a row', () => {
    stored.rows(2);
    const all = backlog.findSendable([]);
    stored.rows(2);
    expect(all).toEqual([[1, 2]]);
    settled.deliver(all);
    expect(backlog.findSendable([])).toEqual([[3, 4]]);
  });
});

describe('the oldest pending sample', () => {
  test('is dated by its true time', () => {
    stored.beginEpoch(5_000, true);
    stored.rows(3);
    settled.deliver([[1, 1]]);
    expect(backlog.findOldestPendingMs()).toBe(START_MS + 1_000 + 5_000);
  });

  test('may be one that is held', () => {
    stored.beginEpoch(0, false);
    stored.rows(3);
    expect(backlog.findOldestPendingMs()).toBe(START_MS);
  });

  test('is sought beyond a gap in which no row is left', () => {
    stored.rows(6);
    stored.drop([1, 2], 'cap');
    settled.deliver([[3, 4]]);
    expect(backlog.findOldestPendingMs()).toBe(START_MS + 4_000);
  });

  test('is none where everything is settled', () => {
    stored.rows(2);
    settled.deliver([[1, 2]]);
    expect(backlog.findOldestPendingMs()).toBeUndefined();
  });
});

test('the last row before a time is found by true time, whatever the clock that it was stored with', () => {
  stored.beginEpoch(5_000, true);
  stored.rows(10);
  expect(backlog.findLastIdBefore(START_MS + 5_000)).toBe(0);
  expect(backlog.findLastIdBefore(START_MS + 5_000 + 3_001)).toBe(4);
  expect(backlog.findLastIdBefore(START_MS + 60_000)).toBe(10);
});

test('the books are those of both processes, and balance', () => {
  stored.rows(10);
  settled.deliver([[1, 4]]);
  settled.reject([{ id: 7, reason: 'bad' }]);
  stored.drop([9], 'cap');
  expect(backlog.readBooks()).toEqual({ collected: 10, delivered: 4, pending: 4, rejected: 1, dropped: 1 });
  expect(stored.idsOf('pending')).toEqual([5, 6, 8, 10]);
});
