import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { holdLock } from '../../../support/lock-holder.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { migratedDatabase, reading, scrapeAt, storeOn } from '../../../support/collector/collector-parts.ts';
import { booksOf } from '../../../support/collector/prepared-store.ts';

const folder = useTemporaryFolder();
let path: string;
let other: Database;
let parts: ReturnType<typeof storeOn>;
let stop: AbortController;

beforeEach(() => {
  path = folder.path('metrics.db');
  migratedDatabase(path).close();
  other = openDatabase(path);
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  if (other.inTransaction) other.exec('ROLLBACK');
  parts.store.close();
  other.close();
});

function start(): void {
  parts = storeOn(path);
  void parts.store.run(stop.signal);
}

/** Stores a scrape of one sample, as the batcher does; returns for how long that blocked the program. */
function scrape(): number {
  const startedAt = performance.now();
  parts.store.add(scrapeAt(parts.clock, parts.store, [reading('a.x', parts.clock.now() % 1_000)]));
  parts.store.flush();
  return performance.now() - startedAt;
}

test('store: a lock of some seconds delays commits, loses nothing, and is not worth a line', async () => {
  start();
  await parts.clock.advance(1_000);
  other.exec('BEGIN IMMEDIATE');
  for (let second = 0; second < 4; second++) {
    scrape();
    await parts.clock.advance(1_000);
  }
  expect(booksOf(other).collected).toBe(0);
  other.exec('ROLLBACK');
  await parts.clock.advance(200);
  expect(booksOf(other)).toMatchObject({ collected: 4, balanced: 1 });
  expect(parts.log.said('error', 'warn')).toEqual([]);
});

test('store: of a lock that lasts, only the first commit waits, it is logged once, and the end of it is found at once', async () => {
  start();
  await parts.clock.advance(1_000);
  other.exec('BEGIN IMMEDIATE');
  const blockedMs: number[] = [];
  for (let second = 0; second < 20; second++) {
    blockedMs.push(scrape());
    const startedAt = performance.now();
    await parts.clock.advance(1_000);
    blockedMs.push(performance.now() - startedAt);
  }
  // Each wait for the lock takes a tenth of a second, and there are five attempts a second.
  expect(blockedMs.reduce((a, b) => a + b, 0)).toBeLessThan(5_000);
  expect(parts.log.said('error', 'warn')).toEqual(['error: cannot store samples, buffering']);
  expect(parts.log.lines.find(({ level }) => level === 'error')?.fields).toMatchObject({
    error: expect.stringMatching(/^the database is locked by /),
    hint: 'end that program or its transaction',
  });
  other.exec('ROLLBACK');
  await parts.clock.advance(200);
  expect(booksOf(other)).toMatchObject({ collected: 20, dropped: 0, balanced: 1 });
  expect(parts.log.said('warn')).toEqual(['warn: store recovered']);
});

test('store: a collector that starts while the database is locked buffers its scrapes and stores them later', async () => {
  other.exec('BEGIN IMMEDIATE');
  start();
  for (let second = 0; second < 8; second++) {
    scrape();
    await parts.clock.advance(1_000);
  }
  expect(parts.store.failure).toMatch(/^the database is locked by /);
  other.exec('ROLLBACK');
  await parts.clock.advance(200);
  expect(booksOf(other)).toMatchObject({ collected: 8, dropped: 0, balanced: 1 });
});

test('store: maintenance that meets a lock is no failure of maintenance', async () => {
  start();
  await parts.clock.advance(1_000);
  other.exec('BEGIN IMMEDIATE');
  await parts.clock.advance(3_000);
  other.exec('ROLLBACK');
  await parts.clock.advance(3_000);
  expect(parts.log.said('error', 'warn')).toEqual([]);
  expect(parts.store.failure).toBeUndefined();
});

test('store: a lock that passes to another program is logged once, as it was found', async () => {
  start();
  await parts.clock.advance(1_000);
  other.exec('BEGIN IMMEDIATE');
  scrape();
  await parts.clock.advance(6_000);
  const first = parts.store.failure;
  other.exec('ROLLBACK');
  const holder = await holdLock(path);
  await parts.clock.advance(1_000);
  expect(parts.store.failure).toBe(first);
  await holder.release();
  await parts.clock.advance(1_000);
  expect(parts.log.said('error', 'warn')).toEqual(['error: cannot store samples, buffering', 'warn: store recovered']);
});
