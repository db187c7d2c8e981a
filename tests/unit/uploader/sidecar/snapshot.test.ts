import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { Backlog } from '../../../../uploader/src/backlog.js';
import { ClockSkew } from '../../../../uploader/src/clock-skew.js';
import { ReceiverState } from '../../../../uploader/src/receiver-state.js';
import { Settled } from '../../../../uploader/src/settled.js';
import { Snapshots } from '../../../../uploader/src/sidecar/snapshot.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { LogRecord } from '../log-record.js';
import { START_MS, StoredSamples } from '../stored-samples.js';
import { durationsOf } from './made-snapshot.js';

let stored: StoredSamples;
let clock: FakeClock;
let snapshots: Snapshots;
let receiver: ReceiverState;

beforeEach(() => {
  stored = new StoredSamples();
  clock = new FakeClock();
  const logger = new LogRecord();
  const { database, path: databasePath } = stored;
  receiver = new ReceiverState(clock, logger);
  const skew = new ClockSkew({ clock, logger, database, clockSkewIntervalMs: 1, clockSkewWarnMs: 1, askDate: async () => undefined });
  const backlog = new Backlog(database, new Settled(database));
  snapshots = new Snapshots({ clock, database, databasePath, backlog, receiver, skew });
});
afterEach(() => stored.remove());

test('a snapshot of a new database says that nothing is there yet', () => {
  const { databaseBytes, walBytes, ...seen } = snapshots.take();
  expect(seen).toEqual({
    nowMs: clock.now(),
    uptimeSeconds: 0,
    collectors: [],
    heartbeatMs: 0,
    books: { collected: 0, delivered: 0, pending: 0, rejected: 0, dropped: 0 },
    oldestPendingMs: undefined,
    receiver: { condition: 'unknown', reason: '', sinceMs: clock.now(), lastDelivery: undefined },
    skewMs: undefined,
  });
  expect(databaseBytes).toBeGreaterThan(0);
  expect(walBytes).toBeGreaterThan(0);
});

test('a snapshot holds what the collector noted, the books, and how the uploads fare', async () => {
  stored.rows(3);
  const durations = durationsOf(0.002, 0.2);
  const note = stored.database.prepare('INSERT INTO collector_status VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  note.run('load', 'failing', 'EACCES', 1, 30_000, 2, 1.5, 3, 4, JSON.stringify(durations));
  stored.database.exec('UPDATE collector_state SET heartbeat = 77');
  receiver.failed('away', 'HTTP 503');
  await clock.advance(2_500);
  const seen = snapshots.take();
  const row = { collector: 'load', status: 'failing', message: 'EACCES', sinceMs: 1, intervalMs: 30_000, lastScrapeMs: 2, durationMs: 1.5 };
  expect(seen.collectors).toEqual([{ ...row, collected: 3, failed: 4, durations }]);
  expect([seen.heartbeatMs, seen.oldestPendingMs, seen.uptimeSeconds]).toEqual([77, START_MS, 2.5]);
  expect([seen.books.pending, seen.receiver.condition, seen.receiver.reason]).toEqual([3, 'away', 'HTTP 503']);
});
