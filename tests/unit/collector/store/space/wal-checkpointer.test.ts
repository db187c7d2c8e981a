import { existsSync, statSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { WalCheckpointer } from '../../../../../collector/src/store/space/wal-checkpointer.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { RecordedLog } from '../../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { migratedDatabase } from '../../../../support/collector/collector-parts.ts';

const HOUR = 3_600_000;
const KIB = 1024;
const folder = useTemporaryFolder();
let path: string;
let database: Database;
let clock: FakeClock;
let log: RecordedLog;
let wal: WalCheckpointer;
let stop: AbortController;
let running: Promise<void> | undefined;
let rows: number;

beforeEach(() => {
  path = folder.path('metrics.db');
  database = folder.keep(migratedDatabase(path));
  clock = new FakeClock();
  log = new RecordedLog();
  wal = new WalCheckpointer(database, {
    clock,
    logger: log,
    dbPath: path,
    walCheckpointIntervalMs: HOUR,
    walBytes: 256 * KIB,
  });
  stop = new AbortController();
  rows = 0;
  wal.checkpoint();
  log.lines.length = 0;
});

afterEach(async () => {
  stop.abort();
  await running;
  running = undefined;
});

/** Writes rows until the WAL has at least this size. */
function growTo(bytes: number): void {
  const insert = database.prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, 1, ?, ?)');
  while (wal.readWalBytes() < bytes) {
    rows += 1;
    insert.run(rows, rows, 'x'.repeat(400));
  }
}

/** What the store does with it. */
async function lookEverySecond(): Promise<void> {
  while (!stop.signal.aborted) {
    await clock.sleep(1_000, stop.signal);
    if (!stop.signal.aborted) wal.checkpointIfDue();
  }
}

/** Another process's connection, in the middle of reading. */
function reader(): Database {
  const other = folder.keep(openDatabase(path, { readonly: true }));
  other.exec('BEGIN');
  other.prepare('SELECT COUNT(*) FROM samples').get();
  return other;
}

function storedRows(): unknown {
  return database.prepare('SELECT COUNT(*) FROM samples').pluck().get();
}

describe('WAL checkpointer: one WAL checkpoint', () => {
  test('WAL checkpointer: a WAL checkpoint empties the WAL, loses no row and returns its result (A-48)', () => {
    growTo(100 * KIB);
    const before = wal.readWalBytes();
    expect(wal.checkpoint()).toEqual({ busy: false, durationMs: expect.any(Number), reclaimedBytes: before });
    expect(statSync(`${path}-wal`).size).toBe(0);
    expect(storedRows()).toBe(rows);
    expect(log.said('info')).toEqual(['info: WAL checkpoint']);
    expect(log.lines[0]?.fields).toMatchObject({ wal_bytes: before });
  });

  test('WAL checkpointer: a WAL checkpoint that a reader blocks is logged, returns at once and loses no row', () => {
    growTo(50 * KIB);
    const other = reader();
    growTo(100 * KIB);
    const startedAt = performance.now();
    expect(wal.checkpoint()).toMatchObject({ busy: true });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(log.said('warn')).toEqual(['warn: WAL checkpoint blocked']);
    other.exec('COMMIT');
    expect(wal.checkpoint()).toMatchObject({ busy: false });
    expect(wal.readWalBytes()).toBe(0);
    expect(storedRows()).toBe(rows);
  });

  test('WAL checkpointer: a WAL checkpoint restores the busy timeout', () => {
    growTo(10 * KIB);
    wal.checkpoint();
    expect(database.pragma('busy_timeout', { simple: true })).toBe(100);
  });

  test('WAL checkpointer: a failed WAL checkpoint restores the busy timeout', () => {
    database.exec('BEGIN IMMEDIATE');
    growTo(0);
    expect(() => wal.checkpoint()).toThrow(/locked/);
    database.exec('ROLLBACK');
    expect(database.pragma('busy_timeout', { simple: true })).toBe(100);
  });

  test('WAL checkpointer: a WAL checkpoint without a WAL reclaims nothing', () => {
    database.pragma('journal_mode = DELETE');
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(wal.readWalBytes()).toBe(0);
  });
});

describe('WAL checkpointer: when a WAL checkpoint is due', () => {
  test('WAL checkpointer: runs when the WAL has grown past its limit, and not before (A-46)', async () => {
    running = lookEverySecond();
    growTo(100 * KIB);
    await clock.advance(60_000);
    expect(log.lines).toEqual([]);
    growTo(256 * KIB);
    await clock.advance(5_000);
    expect(log.said('info')).toEqual(['info: WAL checkpoint']);
    expect(wal.readWalBytes()).toBe(0);
    expect(storedRows()).toBe(rows);
  });

  test('WAL checkpointer: runs every hour if the WAL is not empty (A-47)', async () => {
    running = lookEverySecond();
    growTo(10 * KIB);
    await clock.advance(HOUR - 5_000);
    expect(log.lines).toEqual([]);
    await clock.advance(5_000);
    expect(log.said('info')).toHaveLength(1);
    await clock.advance(3 * HOUR);
    expect(log.said('info')).toHaveLength(1);
    growTo(1);
    await clock.advance(5_000);
    expect(log.said('info')).toHaveLength(2);
  });

  test('WAL checkpointer: retries soon while a reader blocks it, and logs one warning', async () => {
    running = lookEverySecond();
    growTo(50 * KIB);
    const other = reader();
    growTo(256 * KIB);
    await clock.advance(32_000);
    expect(log.said('warn')).toEqual(['warn: WAL checkpoint blocked']);
    expect(wal.blockedSinceMs).toBe(clock.now() - 31_000);
    other.exec('COMMIT');
    await clock.advance(1_000);
    expect(log.said('info')).toEqual(['info: WAL checkpoint']);
    expect(wal.readWalBytes()).toBe(0);
    expect(wal.blockedSinceMs).toBeUndefined();
  });

  test('WAL checkpointer: retries after a failure, which it logs once', async () => {
    running = lookEverySecond();
    growTo(256 * KIB);
    database.exec('BEGIN IMMEDIATE');
    await clock.advance(5_000);
    expect(log.said('error')).toEqual(['error: WAL checkpoint failed']);
    database.exec('ROLLBACK');
    await clock.advance(5_000);
    expect(log.said('info')).toEqual(['info: WAL checkpoint']);
  });
});

test('WAL checkpointer: SQLite runs no WAL checkpoint of its own at 1,000 pages', () => {
  growTo(1_200 * 1_048);
  const before = wal.readWalBytes();
  growTo(before + 100 * KIB);
  expect(wal.checkpoint().reclaimedBytes).toBeGreaterThan(1_200 * 1_048);
});
