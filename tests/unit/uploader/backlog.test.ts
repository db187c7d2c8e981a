import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Backlog } from '../../../uploader/src/backlog.js';
import { rangesOf, type IdRange } from '../../../uploader/src/id-ranges.js';
import { Settled } from '../../../uploader/src/settled.js';
import { idsIn, START_MS, StoredSamples } from './stored-samples.js';

let stored: StoredSamples;
let settled: Settled;
let backlog: Backlog;

beforeEach(() => {
  stored = new StoredSamples();
  settled = new Settled(stored.database);
  backlog = new Backlog(stored.database, settled);
});
afterEach(() => stored.remove());

describe('a batch', () => {
  test('of an empty database is none', () => {
    expect(backlog.next(2_500, [])).toBeUndefined();
    expect(backlog.oldestPendingMs()).toBeUndefined();
  });

  test('begins at the first gap in what is settled', () => {
    stored.rows(100);
    settled.deliver([[1, 40]]);
    expect(backlog.next(2_500, [])).toEqual({ ranges: [[41, 100]], count: 60 });
  });

  test('is the oldest rows, at most as many as are asked for', () => {
    stored.rows(100);
    expect(backlog.next(30, [])).toEqual({ ranges: [[1, 30]], count: 30 });
  });

  test('holds its limit across gaps', () => {
    stored.rows(30);
    settled.deliver([[1, 3], [6, 9], [15, 20]]);
    expect(backlog.next(9, [])).toEqual({ ranges: [[4, 5], [10, 14], [21, 22]], count: 9 });
    expect(backlog.next(7, [])).toEqual({ ranges: [[4, 5], [10, 14]], count: 7 });
  });

  test('leaves out what is settled and not committed yet', () => {
    stored.rows(10);
    settled.deliver([[1, 2]]);
    expect(backlog.next(4, [[3, 5], [7, 7]])).toEqual({ ranges: [[6, 6], [8, 10]], count: 4 });
    expect(backlog.next(4, [[3, 10]])).toBeUndefined();
  });

  test('counts only rows that exist', () => {
    stored.rows(20);
    stored.drop([1, 2, 3, 8, 9, 10, 11], 'cap');
    expect(backlog.next(6, [])).toEqual({ ranges: [[4, 13]], count: 6 });
  });

  test('steps over a gap in which no row is left', () => {
    stored.rows(9);
    settled.deliver([[4, 6]]);
    stored.drop([1, 2, 3], 'cap');
    expect(backlog.next(9, [])).toEqual({ ranges: [[7, 9]], count: 3 });
  });

  test('is none once everything is settled', () => {
    stored.rows(3);
    settled.deliver([[1, 2]]);
    settled.reject([{ id: 3, reason: 'bad' }]);
    expect(backlog.next(10, [])).toBeUndefined();
  });

  test('never holds a row of an epoch whose true time is not known, and holds the later ones', () => {
    stored.rows(5);
    stored.beginEpoch(0, false);
    stored.rows(5);
    stored.beginEpoch(0, true);
    stored.rows(5);
    expect(backlog.next(100, [])).toEqual({ ranges: [[1, 5], [11, 15]], count: 10 });
  });

  test('holds the rows of an epoch as soon as its true time is known', () => {
    stored.beginEpoch(0, false);
    stored.rows(5);
    expect(backlog.next(100, [])).toBeUndefined();
    stored.database.exec('UPDATE epochs SET trusted = 1');
    expect(backlog.next(100, [])).toEqual({ ranges: [[1, 5]], count: 5 });
  });

  test('is the first pending rows that are neither in hand nor held, whatever the state of the set', () => {
    const anyIds = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(anyIds, anyIds, anyIds, fc.integer({ min: 1, max: 45 }), (delivered, dropped, inHand, limit) => {
        stored.database.exec('BEGIN');
        stored.rows(20);
        stored.beginEpoch(0, false);
        stored.rows(5);
        stored.beginEpoch(0, true);
        stored.rows(15);
        settled.deliver(rangesOf(delivered));
        stored.drop(dropped, 'cap');
        const left = out([...delivered, ...dropped, ...inHand, 21, 22, 23, 24, 25]);
        const batch = backlog.next(limit, rangesOf(inHand));
        const offered = idsIn(batch?.ranges ?? []).filter((id) => !dropped.includes(id));
        stored.database.exec('ROLLBACK');
        expect(offered).toEqual(left.slice(0, limit));
        expect(batch?.count ?? 0).toBe(offered.length);
      }),
    );
  });
});

/** The ids 1 to 40 without some of them. */
function out(gone: readonly number[]): number[] {
  return idsIn([[1, 40]]).filter((id) => !gone.includes(id));
}

describe('the oldest pending sample', () => {
  test('is dated by its true time', () => {
    stored.beginEpoch(5_000, true);
    stored.rows(3);
    settled.deliver([[1, 1]]);
    expect(backlog.oldestPendingMs()).toBe(START_MS + 1_000 + 5_000);
  });

  test('may be one that is held', () => {
    stored.beginEpoch(0, false);
    stored.rows(3);
    expect(backlog.oldestPendingMs()).toBe(START_MS);
  });

  test('is sought beyond a gap in which no row is left', () => {
    stored.rows(6);
    stored.drop([1, 2], 'cap');
    settled.deliver([[3, 4]]);
    expect(backlog.oldestPendingMs()).toBe(START_MS + 4_000);
  });

  test('is none where everything is settled', () => {
    stored.rows(2);
    settled.deliver([[1, 2]]);
    expect(backlog.oldestPendingMs()).toBeUndefined();
  });
});

test('the books are those of both processes, and balance', () => {
  stored.rows(10);
  settled.deliver([[1, 4]]);
  settled.reject([{ id: 7, reason: 'bad' }]);
  stored.drop([9], 'cap');
  expect(backlog.books()).toEqual({ collected: 10, delivered: 4, pending: 4, rejected: 1, dropped: 1 });
  expect(stored.idsOf('pending')).toEqual([5, 6, 8, 10]);
});

test('an id that no row has yet is in no batch, even where it lies in a gap', () => {
  stored.rows(2);
  const all: readonly IdRange[] = backlog.next(100, [])!.ranges;
  stored.rows(2);
  expect(all).toEqual([[1, 2]]);
  settled.deliver(all);
  expect(backlog.next(100, [])).toEqual({ ranges: [[3, 4]], count: 2 });
});
