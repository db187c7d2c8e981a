import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { Acknowledgements } from '../../../../uploader/src/queue/acknowledgements.ts';
import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let settled: SettledRanges;

beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  stored.rows(12);
  settled.deliver([[1, 9]]);
  settled.reject([{ id: 10, status: 400, reason: 'bad' }]);
});
afterEach(() => stored.remove());

/** Recovers with these values in the column `ranges`; returns what was requeued, the log and the books after it. */
function recoverFrom(ranges: readonly unknown[], replayWindowMs = 15_000) {
  const log = new RecordedLog();
  const insert = stored.database.prepare('INSERT INTO provisional (accepted_at, ranges) VALUES (0, ?)');
  for (const each of ranges) insert.run(each);
  const options = { clock: new FakeClock(), logger: log, replayWindowMs };
  const requeued = new Acknowledgements(stored.database, settled, options).recover();
  const { pending, delivered, rejected } = new Backlog(stored.database, settled).readBooks();
  const left = stored.number('SELECT COUNT(*) FROM provisional');
  return { requeued, said: log.said('warn', 'error'), books: { pending, delivered, rejected }, left };
}

const ALL = 'error: provisional rows unreadable, requeueing all delivered';

test.each([['[[8,9]'], ['[[9,8]]'], ['{"a":1}'], ['[[8]]'], ['[["8","9"]]'], ['null'], [Buffer.from('[[8,9]]')], [7]])(
  'provisional rows: %j names no ids, so all delivered samples are requeued and no rejected one',
  (ranges) => {
    expect(recoverFrom([ranges])).toEqual({
      requeued: 9,
      said: [ALL],
      books: { pending: 11, delivered: 0, rejected: 1 },
      left: 0,
    });
    expect(recoverFrom([])).toMatchObject({ requeued: 0, said: [] });
  },
);

test('provisional rows: readable ones beside an unreadable one are requeued once', () => {
  expect(recoverFrom(['[[8,9]]', 'x'])).toMatchObject({ requeued: 9, books: { pending: 11, delivered: 0 } });
});

test('provisional rows: those that are readable are requeued alone', () => {
  expect(recoverFrom(['[[8,9]]'])).toMatchObject({ requeued: 2, said: [], books: { pending: 4, delivered: 7 } });
});

test('provisional rows: nothing is requeued without a replay window', () => {
  expect(recoverFrom(['x'], 0)).toEqual({
    requeued: 0,
    said: [],
    books: { pending: 2, delivered: 9, rejected: 1 },
    left: 0,
  });
});
