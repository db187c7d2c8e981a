import { writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { toStoppedState } from '../../../../uploader/src/telemetry/uploader-state.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { Snapshots } from '../../../../uploader/src/telemetry/snapshot.ts';
import { CollectorStateReader } from '../../../../uploader/src/telemetry/collector-state-reader.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';
import { toHistogram } from '../../../support/uploader/made-snapshot.ts';

let stored: StoredSamples;
let clock: FakeClock;
let snapshots: Snapshots;
let settled: SettledRanges;

beforeEach(() => {
  stored = new StoredSamples();
  clock = new FakeClock();
  const { database, path } = stored;
  settled = new SettledRanges(database);
  const collectorState = new CollectorStateReader(database, path);
  const uploaderState = () => toStoppedState(undefined, { nowMs: clock.now(), skewMs: undefined });
  snapshots = new Snapshots({
    clock,
    collectorState,
    backlog: new Backlog(database, settled),
    settled: () => settled.readRanges(),
    uploaderState,
    findLock: () => undefined,
    journal: () => [],
    batchMetrics: 100,
  });
});
afterEach(() => stored.remove());

/** What the collector notes of one collector. */
function note(collector: string, lastScrapeMs: number): void {
  const insert = stored.database.prepare(
    'INSERT OR REPLACE INTO collector_status VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  insert.run(
    collector,
    'failing',
    'EACCES',
    1,
    30_000,
    lastScrapeMs,
    1.5,
    3,
    4,
    JSON.stringify(toHistogram(0.002, 0.2)),
  );
}

test('snapshot: of a new database is empty', () => {
  const { databaseBytes, walBytes, ...seen } = snapshots.take();
  expect(seen).toMatchObject({
    nowMs: clock.now(),
    collectors: [],
    heartbeatMs: 0,
    books: { collected: 0, delivered: 0, pending: 0, rejected: 0, dropped: 0 },
    oldestPendingMs: undefined,
    held: undefined,
    lastDeliveryAgeMs: undefined,
    droppedInLastHour: 0,
    storage: { failure: null, bufferedSamples: 0 },
    drain: undefined,
  });
  expect([databaseBytes > 0, walBytes > 0]).toEqual([true, true]);
});

test('snapshot: has the collectors’ status and the books', () => {
  stored.rows(3);
  note('load', clock.now() - 2_000);
  stored.database.exec(`UPDATE collector_state SET heartbeat = 77`);
  stored.database.exec(`UPDATE storage_state SET trouble = 'full', waiting = 9, wal_checkpoint_ms = 12`);
  stored.database
    .prepare(`INSERT INTO losses (at, reason, count) VALUES (?, 'cap', 5), (?, 'cap', 70), (?, 'thinned', 700)`)
    // The last one was booked while the clock was years ahead.
    .run(clock.now() - 3_599_000, clock.now() - 3_601_000, clock.now() + 3e11);
  const seen = snapshots.take();
  const row = {
    collector: 'load',
    status: 'failing',
    message: 'EACCES',
    sinceMs: 1,
    intervalMs: 30_000,
    lastScrapeMs: clock.now() - 2_000,
    durationMs: 1.5,
  };
  expect(seen.collectors).toEqual([
    { ...row, collected: 3, failed: 4, durations: toHistogram(0.002, 0.2), lastScrapeAgeMs: 2_000 },
  ]);
  expect([seen.heartbeatMs, seen.oldestPendingMs, seen.books.pending, seen.droppedInLastHour]).toEqual([
    77,
    START_MS,
    3,
    5,
  ]);
  expect(seen.storage).toMatchObject({ failure: 'full', bufferedSamples: 9, walCheckpointMs: 12 });
});

test('snapshot: is reused for 200 ms, so that many requests cost one read', async () => {
  const first = snapshots.take();
  stored.rows(3);
  await clock.advance(199);
  expect(snapshots.take()).toBe(first);
  await clock.advance(1);
  expect(snapshots.take().books.pending).toBe(3);
});

test('snapshot: ages grow by the monotonic clock, so neither a clock step nor a suspend makes a collector late', async () => {
  note('load', clock.now());
  snapshots.take();
  clock.step(3 * 86_400_000);
  await clock.advance(1_000);
  expect(snapshots.take().collectors[0]!.lastScrapeAgeMs).toBe(1_000);
  clock.suspend(8 * 3_600_000);
  await clock.advance(1_000);
  expect(snapshots.take().collectors[0]!.lastScrapeAgeMs).toBe(2_000);
  note('load', clock.now() - 400);
  await clock.advance(500);
  expect(snapshots.take().collectors[0]!.lastScrapeAgeMs).toBe(900 - 400);
});

describe('snapshot: held rows', () => {
  const held = (): unknown => {
    const seen = snapshots.take().held;
    return seen && [seen.count, seen.reason];
  };

  test('are the rows of untrusted epochs that are not settled', () => {
    stored.rows(5);
    stored.beginEpoch(-START_MS, false);
    stored.rows(10);
    settled.reject([{ id: 7, reason: 'test' }]);
    expect(held()).toEqual([9, 'the clock was before the build date of this program']);
  });

  test('are the rows of a clock that differs from the receiver’s', async () => {
    stored.rows(5);
    stored.database.exec(
      `INSERT INTO epochs (first_id, offset_ms, trusted, boot_id, boot_base_ms, reason) VALUES (6, 0, 1, 'b', 0, 'start')`,
    );
    stored.database.exec(`INSERT INTO receiver_clock VALUES ('b', 86400001, 'hold', 0)`);
    stored.rows(10);
    expect(held()).toEqual([10, 'the clock differs from the receiver’s by more than a day']);
    stored.database.exec(`UPDATE receiver_clock SET booted_at_ms = 86400000`);
    await clock.advance(200);
    expect(held()).toBeUndefined();
  });

  test('exclude epochs that are lost or have no rows', () => {
    stored.rows(5);
    stored.beginEpoch(-START_MS, false);
    expect(held()).toBeUndefined();
    stored.rows(5);
    stored.database.exec('UPDATE epochs SET lost = 1 WHERE trusted = 0');
    expect(held()).toBeUndefined();
  });
});

test('snapshot: lists the databases that are set aside, and which of them is taken over here', () => {
  writeFileSync(`${stored.path}.schema-6`, '123');
  writeFileSync(`${stored.path}.schema-5.taking-over`, '12345');
  stored.database.exec(
    `INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES ('metrics.db.schema-5.taking-over', 'pending', 0, '[]', 0, 0)`,
  );
  const seen = snapshots
    .take()
    .setAside.map(({ file, ...rest }) => [file.slice(file.indexOf('.schema')), ...Object.values(rest)]);
  expect(seen).toEqual([
    ['.schema-5.taking-over', 5, 5, true, true],
    ['.schema-6', 6, 3, false, false],
  ]);
});

test('snapshot: before the first scrape of a collector has ended, its age is the time since it began', async () => {
  note('load', 0);
  stored.database.prepare('UPDATE collector_status SET since = ?').run(clock.now() - 4_000);
  expect(snapshots.take().collectors).toMatchObject([{ lastScrapeMs: 0, lastScrapeAgeMs: 4_000 }]);
  await clock.advance(86_000);
  expect(snapshots.take().collectors).toMatchObject([{ lastScrapeAgeMs: 90_000 }]);
  note('load', clock.now() - 1_000);
  await clock.advance(1_000);
  expect(snapshots.take().collectors).toMatchObject([{ lastScrapeAgeMs: 1_000 }]);
});

test('snapshot: the age of the heartbeat is read anew while the last snapshot is reused', () => {
  const beat = (agoMs: number): void => {
    stored.database.prepare('UPDATE collector_state SET heartbeat = ?').run(clock.now() - agoMs);
  };
  beat(40_000);
  expect([snapshots.heartbeatAgeMs(), snapshots.take().heartbeatAgeMs]).toEqual([40_000, 40_000]);
  beat(0);
  expect([snapshots.heartbeatAgeMs(), snapshots.take().heartbeatAgeMs]).toEqual([0, 40_000]);
});
