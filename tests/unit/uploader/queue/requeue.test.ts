import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';

import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { UNTIMED_REASON, UntimedRows } from '../../../../uploader/src/queue/untimed-rows.ts';
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

/** Returns a time range in seconds after the first row. */
function seconds(from: number, to: number) {
  return { fromMs: START_MS + from * 1000, toMs: START_MS + to * 1000 };
}

function books() {
  return { ...new Backlog(stored.database, settled).readBooks() };
}

describe('requeue: delivered rows', () => {
  test('become pending if their time is within the range, both ends included', () => {
    stored.rows(10);
    settled.deliver([[1, 10]]);
    expect(requeue.requeueDelivered(seconds(2, 5))).toBe(4);
    expect(stored.idsOf('pending')).toEqual([3, 4, 5, 6]);
    expect(books()).toMatchObject({ delivered: 6, pending: 4 });
    expect(requeue.requeueDelivered(seconds(2, 5))).toBe(0);
  });

  test('are found by corrected time across epochs', () => {
    stored.rows(3);
    stored.beginEpoch(-10_000, true);
    stored.rows(3);
    settled.deliver([[1, 6]]);
    // Stored 3 to 5 s after the first row, by a clock that was 10 s ahead.
    expect(requeue.requeueDelivered(seconds(-7, -6))).toBe(2);
    expect(stored.idsOf('pending')).toEqual([4, 5]);
  });

  test('are all requeued if one transaction cannot take them', () => {
    stored.scrapes(
      60,
      Array.from({ length: 500 }, (_, index) => stored.series(`s${index}`)),
    );
    settled.deliver([[1, 30_000]]);
    expect(requeue.requeueDelivered(seconds(0, 60))).toBe(30_000);
    expect(books()).toMatchObject({ delivered: 0, pending: 30_000 });
  });

  test('do not include rows that are pending, in quarantine or deleted', () => {
    stored.rows(10);
    settled.deliver([[1, 6]]);
    settled.reject([{ id: 7, reason: 'bad' }]);
    stored.drop([1, 2], 'retention');
    expect(requeue.requeueDelivered(seconds(0, 10))).toBe(4);
    expect([stored.idsOf('rejected'), stored.idsOf('delivered')]).toEqual([[7], []]);
    expect(books()).toEqual({ collected: 10, delivered: 2, pending: 7, rejected: 1, dropped: 0 });
  });
});

describe('requeue: quarantined rows', () => {
  test('become pending, and no others', () => {
    stored.rows(6);
    settled.deliver([[1, 3]]);
    settled.reject([2, 4, 5].map((id) => ({ id, reason: 'bad' })));
    expect(requeue.requeueQuarantined(seconds(0, 3))).toBe(1);
    expect([stored.idsOf('pending'), stored.idsOf('rejected'), stored.idsOf('delivered')]).toEqual([
      [4, 6],
      [5],
      [1, 2, 3],
    ]);
    expect(stored.database.prepare('SELECT id FROM rejected').pluck().all()).toEqual([5]);
    expect(books()).toEqual({ collected: 6, delivered: 3, pending: 2, rejected: 1, dropped: 0 });
    expect(settled.readRanges()).toEqual([
      [1, 3],
      [5, 5],
    ]);
  });

  test('stay in quarantine if the row is gone', () => {
    stored.rows(2);
    settled.reject([{ id: 1, reason: 'bad' }]);
    stored.drop([1], 'retention');
    expect(requeue.requeueQuarantined(seconds(0, 9))).toBe(0);
    expect(settled.requeueRejected([1])).toBe(0);
    expect(books()).toMatchObject({ rejected: 1, pending: 1 });
  });
});

describe('requeue: untimed rows', () => {
  /** Stores four rows of a boot whose clock was a day behind and was never corrected, and rejects them. */
  function storeLostBoot(): void {
    stored.rows(3);
    settled.deliver([[1, 3]]);
    stored.beginEpoch(-86_400_000, false);
    stored.rows(4);
    stored.database.exec('UPDATE epochs SET lost = 1 WHERE trusted = 0');
    settled.reject([4, 5, 6, 7].map((id) => ({ id, reason: UNTIMED_REASON })));
    stored.beginEpoch(0, true);
    stored.rows(1);
  }

  function correctedTimes(): unknown[] {
    return stored.database
      .prepare('SELECT timestamp_ms FROM metrics WHERE id BETWEEN 4 AND 7 ORDER BY id')
      .pluck()
      .all();
  }

  test('become pending and sendable with the offset that an operator gives', () => {
    storeLostBoot();
    const before = correctedTimes().map(Number);
    expect(requeue.requeueUntimed({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }, 86_400_000)).toBe(4);
    expect(correctedTimes()).toEqual(before.map((time) => time + 86_400_000));
    expect(stored.idsOf('pending')).toEqual([4, 5, 6, 7, 8]);
    expect(new Backlog(stored.database, settled).findSendable([])).toEqual([[4, 8]]);
    expect(books()).toMatchObject({ delivered: 3, pending: 5, rejected: 0 });
    expect(requeue.requeueUntimed({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }, 86_400_000)).toBe(0);
  });

  test('are not rejected again for what was wrong before', async () => {
    storeLostBoot();
    requeue.requeueUntimed({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }, 86_400_000);
    const { database } = stored;
    const untimedRows = new UntimedRows({ clock: systemClock, logger: silentLogger, database, settled });
    expect(await untimedRows.reject(new AbortController().signal)).toBe(0);
  });

  test('stay in quarantine if their times lie outside the range or they were rejected for another reason', () => {
    storeLostBoot();
    settled.requeueRejected([5]);
    settled.reject([{ id: 5, reason: 'HTTP 400' }]);
    expect(requeue.requeueUntimed(seconds(0, 100), 86_400_000)).toBe(0);
    expect(requeue.requeueUntimed(seconds(-86_400, -80_000), 86_400_000)).toBe(3);
    expect(stored.idsOf('rejected')).toEqual([5]);
  });
});
