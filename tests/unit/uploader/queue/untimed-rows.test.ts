import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { RecurringWork } from '@thugshells/shared/recurring-work.ts';

import { UNTIMED_REASON, UntimedRows } from '../../../../uploader/src/queue/untimed-rows.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const never = new AbortController().signal;
let stored: StoredSamples;
let settled: SettledRanges;
let clock: FakeClock;
let log: LogRecord;
let untimedRows: UntimedRows;

beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  clock = new FakeClock();
  log = new LogRecord();
  untimedRows = new UntimedRows({ clock, logger: log, database: stored.database, settled });
});
afterEach(() => stored.remove());

/** Runs a task that sleeps between its slices to its end. */
async function runToEnd<T>(task: Promise<T>): Promise<T> {
  let ended = false;
  void task.finally(() => (ended = true));
  while (!ended) await clock.advance(1);
  return task;
}

/** Stores rows of a boot whose clock was never right, between others. */
function storeLostBoot(rows: number): void {
  stored.rows(3);
  stored.beginEpoch(-1_700_000_000_000, false);
  stored.rows(rows);
  stored.database.exec('UPDATE epochs SET lost = 1 WHERE trusted = 0');
  stored.beginEpoch(0, true);
  stored.rows(2);
}

test('untimed rows: rejects the rows of a lost epoch with the reason, and no others', async () => {
  storeLostBoot(4);
  settled.deliver([[5, 5]]);
  expect(await runToEnd(untimedRows.reject(never))).toBe(3);
  expect([stored.idsOf('rejected'), stored.idsOf('pending'), stored.idsOf('delivered')]).toEqual([
    [4, 6, 7],
    [1, 2, 3, 8, 9],
    [5],
  ]);
  expect(stored.number(`SELECT COUNT(*) FROM rejected WHERE reason = '${UNTIMED_REASON}'`)).toBe(3);
  expect(stored.number('SELECT rejected FROM uploader_state')).toBe(3);
});

test('untimed rows: leaves held rows alone whose clock may still be corrected', async () => {
  stored.beginEpoch(-1_700_000_000_000, false);
  stored.rows(4);
  expect(await runToEnd(untimedRows.reject(never))).toBe(0);
  expect(stored.idsOf('pending')).toEqual([1, 2, 3, 4]);
});

test('untimed rows: rejects many rows slice by slice, with a pause between transactions', async () => {
  storeLostBoot(1_700);
  expect(await runToEnd(untimedRows.reject(never))).toBe(1_700);
  expect(clock.sleeps).toEqual([1, 1, 1, 1]);
});

test('untimed rows: checks at start and once a minute, and logs each rejection once', async () => {
  storeLostBoot(4);
  const stop = new AbortController();
  const running = untimedRows.run(new RecurringWork({ clock, logger: log }), stop.signal);
  await clock.advance(0);
  await clock.advance(120_000);
  expect(log.lines).toEqual([
    { level: 'warn', message: 'rejected samples without correct time', fields: { count: 4, reason: UNTIMED_REASON } },
  ]);
  stored.database.exec('UPDATE epochs SET lost = 1');
  await clock.advance(60_100);
  expect(stored.idsOf('pending')).toEqual([]);
  stop.abort();
  await running;
});

test('untimed rows: logs a failed transaction and retries it a minute later', async () => {
  storeLostBoot(4);
  stored.database.exec(`CREATE TRIGGER full BEFORE INSERT ON rejected BEGIN SELECT RAISE(ABORT, 'disk is full'); END`);
  const stop = new AbortController();
  const running = untimedRows.run(new RecurringWork({ clock, logger: log }), stop.signal);
  await clock.advance(0);
  await clock.advance(1);
  expect(log.lines).toMatchObject([{ level: 'warn', fields: { error: expect.stringContaining('disk is full') } }]);
  stored.database.exec('DROP TRIGGER full');
  await clock.advance(60_100);
  expect(stored.idsOf('rejected')).toEqual([4, 5, 6, 7]);
  stop.abort();
  await running;
});
