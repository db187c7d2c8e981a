import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { UNTIMED_REASON } from '../../../../uploader/src/queue/untimed-rows.ts';
import { Requeue } from '../../../../uploader/src/queue/requeue.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let settled: SettledRanges;
let requeue: Requeue;
beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  requeue = new Requeue(stored.database, settled);
});
afterEach(() => stored.remove());

/** From one second to another after the first row. */
function seconds(from: number, to: number) {
  return { fromMs: START_MS + from * 1000, toMs: START_MS + to * 1000 };
}

function books() {
  return { ...new Backlog(stored.database, settled).readBooks() };
}

describe('what was delivered', () => {
  test('becomes pending again where its time is within the range, both ends included', () => {
    stored.rows(10);
    settled.deliver([[1, 10]]);
    expect(requeue.requeueDelivered(seconds(2, 5))).toBe(4);
    expect(stored.idsOf('pending')).toEqual([3, 4, 5, 6]);
    expect(books()).toMatchObject({ delivered: 6, pending: 4 });
    expect(requeue.requeueDelivered(seconds(2, 5))).toBe(0);
  });

  test('is found by its true time, whatever the epoch it was stored in', () => {
    stored.rows(3);
    stored.beginEpoch(-10_000, true);
    stored.rows(3);
    settled.deliver([[1, 6]]);
    // Stored 3 to 5 s after the first row, by a clock that was 10 s ahead.
    expect(requeue.requeueDelivered(seconds(-7, -6))).toBe(2);
    expect(stored.idsOf('pending')).toEqual([4, 5]);
  });

  test('comes whole also where it is more than one transaction takes', () => {
    stored.scrapes(
      60,
      Array.from({ length: 500 }, (_, index) => stored.series(`s${index}`)),
    );
    settled.deliver([[1, 30_000]]);
    expect(requeue.requeueDelivered(seconds(0, 60))).toBe(30_000);
    expect(books()).toMatchObject({ delivered: 0, pending: 30_000 });
  });

  test('is never what is pending, in quarantine or deleted', () => {
    stored.rows(10);
    settled.deliver([[1, 6]]);
    settled.reject([{ id: 7, reason: 'bad' }]);
    stored.drop([1, 2], 'retention');
    expect(requeue.requeueDelivered(seconds(0, 10))).toBe(4);
    expect([stored.idsOf('rejected'), stored.idsOf('delivered')]).toEqual([[7], []]);
    expect(books()).toEqual({ collected: 10, delivered: 2, pending: 7, rejected: 1, dropped: 0 });
  });
});

describe('what is in quarantine', () => {
  test('becomes pending again where that is what is asked for, and nothing else does', () => {
    stored.rows(6);
    settled.deliver([[1, 3]]);
    settled.reject([2, 4, 5].map((id) => ({ id, reason: 'bad' })));
    expect(requeue.requeueQuarantined(seconds(0, 3))).toBe(1);
    expect([stored.idsOf('pending'), stored.idsOf('rejected'), stored.idsOf('delivered')]).toEqual([
      [4, 6],
      [5],
      [1, 2, 3],
    ]);
    expect(books()).toEqual({ collected: 6, delivered: 3, pending: 2, rejected: 1, dropped: 0 });
    expect(settled.readRanges()).toEqual([
      [1, 3],
      [5, 5],
    ]);
  });

  test('stays there where its row is gone', () => {
    stored.rows(2);
    settled.reject([{ id: 1, reason: 'bad' }]);
    stored.drop([1], 'retention');
    expect(requeue.requeueQuarantined(seconds(0, 9))).toBe(0);
    expect(settled.requeueRejected([1])).toBe(0);
    expect(books()).toMatchObject({ rejected: 1, pending: 1 });
  });
});

describe('what waits for a true time that nobody learned', () => {
  /** Ten rows of a boot whose clock stood a day behind, given up and rejected. */
  function lostBoot(): void {
    stored.rows(3);
    settled.deliver([[1, 3]]);
    stored.beginEpoch(-86_400_000, false);
    stored.rows(4);
    stored.database.exec('UPDATE epochs SET lost = 1 WHERE trusted = 0');
    settled.reject([4, 5, 6, 7].map((id) => ({ id, reason: UNTIMED_REASON })));
    stored.beginEpoch(0, true);
    stored.rows(1);
  }

  function trueTimes(): unknown[] {
    return stored.database
      .prepare('SELECT timestamp_ms FROM metrics WHERE id BETWEEN 4 AND 7 ORDER BY id')
      .pluck()
      .all();
  }

  test('becomes pending with the offset that a person gives, and may leave', () => {
    lostBoot();
    const before = trueTimes().map(Number);
    expect(requeue.requeueUntimed({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }, 86_400_000)).toBe(4);
    expect(trueTimes()).toEqual(before.map((time) => time + 86_400_000));
    expect(stored.idsOf('pending')).toEqual([4, 5, 6, 7, 8]);
    expect(new Backlog(stored.database, settled).findSendable([])).toEqual([[4, 8]]);
    expect(books()).toMatchObject({ delivered: 3, pending: 5, rejected: 0 });
    expect(requeue.requeueUntimed({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }, 86_400_000)).toBe(0);
  });

  test('stays where its stamps lie outside of the range, and so does what was rejected for another reason', () => {
    lostBoot();
    settled.requeueRejected([5]);
    settled.reject([{ id: 5, reason: 'HTTP 400' }]);
    expect(requeue.requeueUntimed(seconds(0, 100), 86_400_000)).toBe(0);
    expect(requeue.requeueUntimed(seconds(-86_400, -80_000), 86_400_000)).toBe(3);
    expect(stored.idsOf('rejected')).toEqual([5]);
  });
});
