// Longer than a test should be: each end of a connection is a case, with what it leaves in the tables.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { Acknowledgements } from '../../../../uploader/src/queue/acknowledgements.ts';
import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idsIn, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const WINDOW_MS = 15_000;
let stored: StoredSamples;
let settled: SettledRanges;
let clock: FakeClock;
let acknowledgements: Acknowledgements;

beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  clock = new FakeClock();
  acknowledgements = create();
});
afterEach(() => stored.remove());

function create(replayWindowMs = WINDOW_MS): Acknowledgements {
  return new Acknowledgements(stored.database, settled, { clock, replayWindowMs });
}

/** Records a response that accepts rows over a connection, as the batch sender does for one chunk. */
function accept(first: number, last: number, connection: number | undefined = 1, isClosing = false): void {
  const count = last - first + 1;
  const accepted = { batchId: 'batch-a', chunkIndex: first, ranges: [[first, last] as const], count };
  acknowledgements.recordResponse({ connection, isClosing, accepted });
}

/** The end of an idle connection that nobody announced. */
function endConnection(connection: number): number {
  return acknowledgements.applySign({
    kind: 'connection ended',
    connection,
    isAnnounced: false,
    idleMs: 0,
  });
}

function books() {
  return new Backlog(stored.database, settled).readBooks();
}

describe('acknowledgements: a commit', () => {
  test('writes ranges, checkpoints and books of everything since the last one (A-17)', () => {
    stored.rows(6);
    accept(1, 2);
    accept(3, 5);
    acknowledgements.reject([{ id: 6, status: 400, reason: 'bad' }]);
    expect([settled.readRanges(), acknowledgements.listUncommitted()]).toEqual([[], [[1, 6]]]);
    acknowledgements.commit();
    expect([settled.readRanges(), acknowledgements.listUncommitted()]).toEqual([[[1, 6]], []]);
    expect(books()).toEqual({ collected: 6, delivered: 5, pending: 0, rejected: 1, dropped: 0 });
    expect(
      stored.database.prepare('SELECT batch_id, chunk_index, metric_count, uploaded_at FROM upload_checkpoints').all(),
    ).toEqual([
      { batch_id: 'batch-a', chunk_index: 1, metric_count: 2, uploaded_at: clock.now() },
      { batch_id: 'batch-a', chunk_index: 3, metric_count: 3, uploaded_at: clock.now() },
    ]);
  });

  test('without changes writes nothing', () => {
    const before = stored.number('PRAGMA data_version') + stored.number('SELECT total_changes()');
    acknowledgements.commit();
    expect(stored.number('PRAGMA data_version') + stored.number('SELECT total_changes()')).toBe(before);
  });

  test('that fails loses nothing, and the next one writes everything once', () => {
    stored.rows(4);
    stored.database.exec(
      `CREATE TRIGGER full BEFORE INSERT ON upload_checkpoints BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    accept(1, 2);
    acknowledgements.reject([{ id: 3, reason: 'bad' }]);
    expect(() => acknowledgements.commit()).toThrow('disk is full');
    expect([settled.readRanges(), acknowledgements.listUncommitted(), books().delivered]).toEqual([[], [[1, 3]], 0]);
    stored.database.exec('DROP TRIGGER full');
    acknowledgements.commit();
    acknowledgements.commit();
    expect([settled.readRanges(), acknowledgements.listUncommitted()]).toEqual([[[1, 3]], []]);
    expect(books()).toMatchObject({ delivered: 2, rejected: 1, pending: 1 });
  });

  test('adds to the checkpoint of a chunk that was partly accepted before', () => {
    stored.rows(4);
    accept(1, 2);
    acknowledgements.recordResponse({
      connection: 1,
      isClosing: false,
      accepted: { batchId: 'batch-a', chunkIndex: 1, ranges: [[3, 4]], count: 2 },
    });
    acknowledgements.commit();
    expect(stored.number('SELECT SUM(metric_count) FROM upload_checkpoints')).toBe(4);
    expect(stored.number('SELECT COUNT(*) FROM upload_checkpoints')).toBe(1);
  });

  test('keeps the last 9,000 to 10,000 checkpoints', () => {
    stored.rows(3);
    stored.database.exec(
      `INSERT INTO upload_checkpoints (batch_id, chunk_index, uploaded_at, metric_count)
       WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 10000)
       SELECT 'old', value, 0, 1 FROM n`,
    );
    stored.database.exec(`DELETE FROM upload_checkpoints WHERE chunk_index > 9998`);
    accept(1, 1);
    accept(2, 2);
    acknowledgements.commit();
    expect(stored.number('SELECT COUNT(*) FROM upload_checkpoints')).toBe(10_000);
    accept(3, 3);
    acknowledgements.commit();
    expect(stored.number('SELECT COUNT(*) FROM upload_checkpoints')).toBe(9_000);
    expect(stored.number(`SELECT MIN(chunk_index) FROM upload_checkpoints WHERE batch_id = 'old'`)).toBe(1_002);
    expect(stored.number(`SELECT COUNT(*) FROM upload_checkpoints WHERE batch_id = 'batch-a'`)).toBe(3);
  });

  test('writes no checkpoint for a chunk without accepted samples', () => {
    acknowledgements.recordResponse({
      connection: 1,
      isClosing: false,
      accepted: { batchId: 'batch-a', chunkIndex: 0, ranges: [], count: 0 },
    });
    acknowledgements.commit();
    expect(stored.number('SELECT COUNT(*) FROM upload_checkpoints')).toBe(0);
  });
});

describe('acknowledgements: accepted rows', () => {
  beforeEach(() => {
    stored.rows(10);
    accept(1, 4);
    acknowledgements.commit();
  });

  test('count as delivered while they are provisional', () => {
    expect(acknowledgements.hasProvisional).toBe(true);
    expect(books()).toMatchObject({ delivered: 4, pending: 6 });
  });

  test('are confirmed by a response over their connection a replay window later', async () => {
    await clock.advance(WINDOW_MS);
    accept(5, 6);
    acknowledgements.commit();
    expect(endConnection(1)).toBe(2);
    expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4]);
    expect(stored.number('SELECT COUNT(*) FROM provisional')).toBe(0);
  });

  test('are not confirmed by a response before the end of the window', async () => {
    await clock.advance(WINDOW_MS - 1);
    acknowledgements.recordResponse({ connection: 1, isClosing: false });
    expect(endConnection(1)).toBe(4);
  });

  test('are not confirmed by a response over another connection', async () => {
    await clock.advance(2 * WINDOW_MS);
    acknowledgements.recordResponse({ connection: 2, isClosing: false });
    acknowledgements.recordResponse({ connection: undefined, isClosing: false });
    expect(acknowledgements.hasProvisional).toBe(true);
    expect(endConnection(1)).toBe(4);
  });

  test('become pending when their connection is lost, and no others', () => {
    accept(5, 6, 2);
    expect(endConnection(1)).toBe(4);
    expect(stored.idsOf('pending')).toEqual([1, 2, 3, 4, 7, 8, 9, 10]);
    expect(books()).toMatchObject({ delivered: 2, pending: 8 });
  });

  test('become pending when their connection is lost before they are committed', () => {
    accept(5, 6);
    expect(endConnection(1)).toBe(6);
    expect(books()).toMatchObject({ delivered: 0, pending: 10 });
    expect(acknowledgements.listUncommitted()).toEqual([]);
  });

  describe('that were requeued before', () => {
    beforeEach(() => {
      expect(endConnection(1)).toBe(4);
      accept(1, 4, 2);
      accept(5, 5, 2);
    });

    test('stay delivered when their connection ends again, unlike rows sent for the first time', () => {
      expect(endConnection(2)).toBe(1);
      expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4]);
    });

    test('move to the connection of the next response, which confirms them', async () => {
      endConnection(2);
      acknowledgements.recordResponse({ connection: 3, isClosing: false });
      await clock.advance(WINDOW_MS);
      acknowledgements.recordResponse({ connection: 3, isClosing: false });
      expect(acknowledgements.hasProvisional).toBe(false);
      expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4]);
    });

    test('become pending each time the receiver’s port is closed', () => {
      acknowledgements.commit();
      expect(acknowledgements.applySign({ kind: 'connection refused' })).toBe(5);
      accept(1, 4, 3);
      expect(acknowledgements.applySign({ kind: 'connection refused' })).toBe(4);
      expect(stored.idsOf('delivered')).toEqual([]);
    });
  });

  describe('of a receiver that can be asked since when it runs', () => {
    const END = { kind: 'connection ended', connection: 1, isAnnounced: false } as const;

    beforeEach(() => {
      acknowledgements = new Acknowledgements(stored.database, settled, {
        clock,
        replayWindowMs: WINDOW_MS,
        questionIntervalMs: 5_000,
      });
      accept(5, 8);
      acknowledgements.commit();
      expect(acknowledgements.findNextQuestion()).toBeUndefined();
      expect(acknowledgements.applySign({ ...END, idleMs: 0 })).toBe(0);
    });

    /** The receiver was started so many milliseconds before now. */
    function answer(uptimeMs: number): number {
      const nowMs = clock.sinceBoot();
      const startedAtMs = nowMs - uptimeMs;
      const times = { earliestMs: startedAtMs - 3_000, latestMs: startedAtMs };
      return acknowledgements.applyAnswer({ kind: 'started', ...times, connection: 2 }, nowMs);
    }

    test('stay delivered until the answer, and after it if the receiver is older than they are', async () => {
      expect(acknowledgements.findNextQuestion()).toBeLessThanOrEqual(clock.sinceBoot());
      await clock.advance(1_000);
      expect(answer(10_000)).toBe(0);
      expect([acknowledgements.findNextQuestion(), books().delivered]).toEqual([undefined, 8]);
    });

    test('become pending if it was started since', async () => {
      await clock.advance(10_000);
      expect(answer(5_000)).toBe(4);
      expect(stored.idsOf('pending')).toEqual([5, 6, 7, 8, 9, 10]);
    });

    test('become pending once if it does not say', async () => {
      expect(acknowledgements.applyAnswer({ kind: 'unreadable' }, clock.sinceBoot())).toBe(4);
      accept(5, 8, 2);
      expect(acknowledgements.applySign({ kind: 'proxy error' })).toBe(0);
      expect(books().delivered).toBe(8);
    });
  });

  test('become pending only if they still exist', () => {
    stored.drop([2], 'retention');
    expect(endConnection(1)).toBe(3);
    expect(books()).toMatchObject({ delivered: 1, pending: 9 });
  });

  test('become pending with the next commit if the loss could not be written', () => {
    stored.database.exec(
      `CREATE TRIGGER full BEFORE DELETE ON provisional BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    expect(() => endConnection(1)).toThrow('disk is full');
    expect(books().delivered).toBe(4);
    stored.database.exec('DROP TRIGGER full');
    expect(acknowledgements.commit()).toBe(4);
    expect(books()).toMatchObject({ delivered: 0, pending: 10 });
  });
});

describe('acknowledgements: an announced close', () => {
  test('hands provisional rows to the next connection, which confirms them', async () => {
    stored.rows(10);
    accept(1, 4);
    acknowledgements.commit();
    accept(5, 6, 1, true);
    expect(endConnection(1)).toBe(0);
    acknowledgements.commit();
    await clock.advance(WINDOW_MS);
    accept(7, 8, 2);
    expect(endConnection(2)).toBe(2);
    expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('hands provisional rows to the next connection, with which they may be lost', () => {
    stored.rows(10);
    accept(1, 4, 1, true);
    expect(endConnection(1)).toBe(0);
    accept(5, 6, 2);
    expect(endConnection(2)).toBe(6);
  });

  test('after each response, as an old proxy does, requeues nothing', () => {
    stored.rows(10);
    for (const id of idsIn([[1, 10]])) {
      accept(id, id, id, true);
      expect(endConnection(id)).toBe(0);
      acknowledgements.commit();
    }
    expect(stored.idsOf('pending')).toEqual([]);
  });
});

describe('acknowledgements: recovery at start', () => {
  test('makes provisional rows of the last process pending', () => {
    stored.rows(6);
    accept(1, 4);
    acknowledgements.commit();
    acknowledgements = create();
    expect(acknowledgements.recover()).toBe(4);
    expect(books()).toMatchObject({ delivered: 0, pending: 6 });
    expect([acknowledgements.recover(), stored.number('SELECT COUNT(*) FROM provisional')]).toEqual([0, 0]);
  });

  test('is done once: what is accepted again stays delivered, also when its connection ends again', () => {
    stored.rows(6);
    accept(1, 4);
    acknowledgements.commit();
    acknowledgements = create();
    expect(acknowledgements.recover()).toBe(4);
    accept(1, 4, 2);
    accept(5, 5, 2);
    acknowledgements.commit();
    acknowledgements.commit();
    expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4, 5]);
    expect(stored.number('SELECT COUNT(*) FROM provisional')).toBe(2);
    expect(endConnection(2)).toBe(1);
    expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4]);
  });

  test('leaves confirmed rows alone', async () => {
    stored.rows(6);
    accept(1, 4);
    acknowledgements.commit();
    await clock.advance(WINDOW_MS);
    accept(5, 5);
    acknowledgements.commit();
    expect(create().recover()).toBe(1);
    expect(stored.idsOf('delivered')).toEqual([1, 2, 3, 4]);
  });

  test('joins ranges between which deletions have left no row', () => {
    stored.rows(6);
    settled.deliver([
      [1, 2],
      [5, 6],
    ]);
    stored.drop([3, 4], 'cap');
    acknowledgements.recover();
    expect(settled.readRanges()).toEqual([[1, 6]]);
  });

  test('without a replay window requeues nothing', () => {
    stored.rows(6);
    accept(1, 4);
    acknowledgements.commit();
    expect([create(0).recover(), books().delivered, stored.number('SELECT COUNT(*) FROM provisional')]).toEqual([
      0, 4, 0,
    ]);
  });
});

test('acknowledgements: without a replay window an acceptance is final at once', () => {
  stored.rows(4);
  acknowledgements = create(0);
  accept(1, 4);
  acknowledgements.commit();
  expect([acknowledgements.hasProvisional, stored.number('SELECT COUNT(*) FROM provisional')]).toEqual([false, 0]);
  expect([endConnection(1), books().delivered]).toEqual([0, 4]);
});

test('acknowledgements: confirming costs no commit of its own', async () => {
  stored.rows(4);
  accept(1, 4);
  acknowledgements.commit();
  await clock.advance(WINDOW_MS);
  const changes = stored.number('SELECT total_changes()');
  acknowledgements.recordResponse({ connection: 1, isClosing: false });
  expect(stored.number('SELECT total_changes()')).toBe(changes);
  acknowledgements.commit();
  expect(stored.number('SELECT COUNT(*) FROM provisional')).toBe(0);
});

describe('acknowledgements: while another program has the database locked', () => {
  let other: Database;
  beforeEach(() => {
    other = openDatabase(stored.path);
    stored.rows(6);
  });
  afterEach(() => void other.close());

  test('a commit keeps everything in memory, waits for the lock only once, and a later one writes it', () => {
    other.exec('BEGIN IMMEDIATE');
    accept(1, 2);
    acknowledgements.commit();
    const startedAt = performance.now();
    for (let time = 0; time < 20; time++) acknowledgements.commit();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect([acknowledgements.lockedForMs, acknowledgements.countUncommitted()]).toEqual([0, 2]);
    expect(acknowledgements.listUncommitted()).toEqual([[1, 2]]);
    other.exec('ROLLBACK');
    acknowledgements.commit();
    expect([acknowledgements.lockedForMs, settled.readRanges(), books().delivered]).toEqual([undefined, [[1, 2]], 2]);
  });

  test('what the last process left provisional becomes pending with the first commit that goes through', () => {
    accept(1, 4);
    acknowledgements.commit();
    other.exec('BEGIN IMMEDIATE');
    const next = create();
    expect([next.recover(), next.lockedForMs, books().delivered]).toEqual([0, 0, 4]);
    next.recordResponse({
      connection: 7,
      isClosing: false,
      accepted: { batchId: 'batch-b', chunkIndex: 0, ranges: [[5, 6]], count: 2 },
    });
    other.exec('ROLLBACK');
    next.commit();
    expect([books().delivered, settled.readRanges()]).toEqual([2, [[5, 6]]]);
    expect(stored.database.prepare('SELECT ranges FROM provisional').all()).toEqual([{ ranges: '[[5,6]]' }]);
  });

  test('a lost connection requeues its rows with the next commit that goes through', () => {
    accept(1, 4);
    acknowledgements.commit();
    other.exec('BEGIN IMMEDIATE');
    expect(endConnection(1)).toBe(0);
    other.exec('ROLLBACK');
    expect(acknowledgements.commit()).toBe(4);
    expect(books()).toMatchObject({ delivered: 0, pending: 6 });
  });

  test('the time of the lock counts from the first commit that met it, and what is rejected waits too', async () => {
    other.exec('BEGIN IMMEDIATE');
    accept(1, 2);
    acknowledgements.reject([{ id: 3, reason: 'bad' }]);
    acknowledgements.commit();
    await clock.advance(5_000);
    acknowledgements.commit();
    expect([acknowledgements.lockedForMs, acknowledgements.countUncommitted()]).toEqual([5_000, 3]);
    other.exec('ROLLBACK');
    acknowledgements.commit();
    expect([acknowledgements.lockedForMs, acknowledgements.countUncommitted()]).toEqual([undefined, 0]);
  });

  test('memory is bounded: after 100,000 samples no more may be acknowledged', () => {
    other.exec('BEGIN IMMEDIATE');
    accept(1, 99_999);
    expect(acknowledgements.isFull).toBe(false);
    accept(100_000, 100_000);
    expect(acknowledgements.isFull).toBe(true);
    other.exec('ROLLBACK');
  });
});
