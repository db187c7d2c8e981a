import { afterEach, beforeEach, expect, test } from '@jest/globals';

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

/** Runs something that sleeps between its slices. */
async function passing<T>(task: Promise<T>): Promise<T> {
  let ended = false;
  void task.finally(() => (ended = true));
  while (!ended) await clock.advance(1);
  return task;
}

/** Rows of a boot in which the clock was never right, between others. */
function lostBoot(rows: number): void {
  stored.rows(3);
  stored.beginEpoch(-1_700_000_000_000, false);
  stored.rows(rows);
  stored.database.exec('UPDATE epochs SET lost = 1 WHERE trusted = 0');
  stored.beginEpoch(0, true);
  stored.rows(2);
}

test('rows of an epoch that is lost are rejected, with the reason, and no others', async () => {
  lostBoot(4);
  settled.deliver([[5, 5]]);
  expect(await passing(untimedRows.reject(never))).toBe(3);
  expect([stored.idsOf('rejected'), stored.idsOf('pending'), stored.idsOf('delivered')]).toEqual([
    [4, 6, 7],
    [1, 2, 3, 8, 9],
    [5],
  ]);
  expect(stored.number(`SELECT COUNT(*) FROM rejected WHERE reason = '${UNTIMED_REASON}'`)).toBe(3);
  expect(stored.number('SELECT rejected FROM uploader_state')).toBe(3);
});

test('rows that are held, and may still get their time, are left alone', async () => {
  stored.beginEpoch(-1_700_000_000_000, false);
  stored.rows(4);
  expect(await passing(untimedRows.reject(never))).toBe(0);
  expect(stored.idsOf('pending')).toEqual([1, 2, 3, 4]);
});

test('many rows are rejected slice by slice, so that nothing else waits for long', async () => {
  lostBoot(1_700);
  expect(await passing(untimedRows.reject(never))).toBe(1_700);
  expect(clock.sleeps).toEqual([1, 1, 1, 1]);
});

test('it is done at start and once a minute, and told once', async () => {
  lostBoot(4);
  const stop = new AbortController();
  const running = untimedRows.run(stop.signal);
  await clock.advance(0);
  await clock.advance(120_000);
  expect(log.lines).toEqual([
    { level: 'warn', message: 'samples were rejected', fields: { count: 4, reason: UNTIMED_REASON } },
  ]);
  stored.database.exec('UPDATE epochs SET lost = 1');
  await clock.advance(60_100);
  expect(stored.idsOf('pending')).toEqual([]);
  stop.abort();
  await running;
});

test('a database that cannot be written is told, and tried again', async () => {
  lostBoot(4);
  stored.database.exec(`CREATE TRIGGER full BEFORE INSERT ON rejected BEGIN SELECT RAISE(ABORT, 'disk is full'); END`);
  const stop = new AbortController();
  const running = untimedRows.run(stop.signal);
  await clock.advance(0);
  await clock.advance(1);
  expect(log.lines).toMatchObject([{ level: 'error', fields: { error: expect.stringContaining('disk is full') } }]);
  stored.database.exec('DROP TRIGGER full');
  await clock.advance(60_100);
  expect(stored.idsOf('rejected')).toEqual([4, 5, 6, 7]);
  stop.abort();
  await running;
});
