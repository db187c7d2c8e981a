import { statSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { divideSpace } from '../../../../collector/src/store/space/limits.ts';
import type { StoreOptions } from '../../../../collector/src/store/store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { NOW, reading, scrapeAt, storeOn } from '../../../support/collector/collector-parts.ts';
import { booksOf, deliver, scrapes, SERIES } from '../../../support/collector/prepared-store.ts';

const MIB = 1024 ** 2;
const folder = useTemporaryFolder();
let path: string;
let parts: ReturnType<typeof storeOn>;
let reader: Database;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  path = folder.path('metrics.db');
});

afterEach(async () => {
  await end();
});

function start(options: Partial<StoreOptions> & { readonly clock?: FakeClock } = {}): void {
  parts = storeOn(path, options);
  reader = folder.keep(openDatabase(path));
  stop = new AbortController();
  running = parts.store.run(stop.signal);
}

async function end(): Promise<void> {
  stop?.abort();
  await running;
  parts?.store.close();
}

function stored(): number {
  return reader.prepare<[], number>('SELECT COUNT(*) FROM samples').pluck().get()!;
}

test('store: stores scrapes that come together, even if the buffer cannot hold all of them', () => {
  start();
  const large = (name: string) =>
    scrapeAt(
      parts.clock,
      parts.store,
      Array.from({ length: 20_000 }, (_, index) => reading(name, index, { i: String(index) })),
    );
  for (const name of ['a.x', 'b.x']) parts.store.add(large(name));
  expect(stored()).toBe(40_000);
  expect(booksOf(reader)).toMatchObject({ collected: 40_000, dropped: 0, balanced: 1 });
});

test('store: commits pending scrapes as soon as half of the buffer is full', async () => {
  start();
  const many = Array.from({ length: 4_000 }, (_, index) => reading('a.x', index, { i: String(index) }));
  for (let scrape = 0; scrape < 4; scrape++) {
    await parts.clock.advance(100);
    expect(stored()).toBe(0);
    parts.store.add(scrapeAt(parts.clock, parts.store, many));
  }
  expect(stored()).toBe(16_000);
});

test('store: stores pending scrapes when it is closed, and nothing after that', async () => {
  start();
  parts.store.add(scrapeAt(parts.clock, parts.store, [reading('a.x', 1)]));
  parts.store.close();
  expect(stored()).toBe(1);
  parts.store.add(scrapeAt(parts.clock, parts.store, [reading('a.x', 2)]));
  expect(parts.store.flush()).toBe(false);
  parts.store.close();
  expect(stored()).toBe(1);
});

describe('store: the WAL', () => {
  function walBytes(): number {
    return statSync(`${path}-wal`).size;
  }

  test('store: a commit that grows the WAL past its limit empties it; no row is lost', async () => {
    const limits = { ...divideSpace({ dbMaxBytes: 64 * MIB, walCheckpointBytes: 64 * MIB }), walBytes: 200_000 };
    start({ limits });
    let largest = 0;
    for (let scrape = 0; scrape < 400; scrape++) {
      await scrapes(parts, 1);
      largest = Math.max(largest, walBytes());
    }
    expect(largest).toBeGreaterThan(150_000);
    expect(largest).toBeLessThan(200_000);
    expect(parts.log.said('info').filter((line) => line === 'info: WAL checkpoint').length).toBeGreaterThan(1);
    expect(stored()).toBe(400 * SERIES);
  });

  test('store: empties the WAL every hour, also while nothing is scraped', async () => {
    start();
    await scrapes(parts, 3);
    await parts.clock.advance(3_570_000);
    expect(walBytes()).toBe(0);
    expect(stored()).toBe(3 * SERIES);
  });

  test('store: leaves an empty WAL when it is closed', async () => {
    start();
    await scrapes(parts, 3);
    await end();
    expect(walBytes()).toBe(0);
    expect(stored()).toBe(3 * SERIES);
  });

  test('store: a WAL that a reader blocks grows to its maximum and no further; samples are buffered, and none is lost', async () => {
    const limits = {
      ...divideSpace({ dbMaxBytes: 64 * MIB, walCheckpointBytes: 64 * MIB }),
      walBytes: 30_000,
      walMaxBytes: 45_000,
    };
    start({ limits });
    await scrapes(parts, 1);
    const other = folder.keep(openDatabase(path, { readonly: true }));
    other.exec('BEGIN');
    other.prepare('SELECT COUNT(*) FROM samples').get();
    await scrapes(parts, 40);
    expect(walBytes()).toBeLessThan(55_000);
    expect(stored()).toBeLessThan(41 * SERIES);
    const errors = parts.log.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ fields }) => [fields['error_code'], fields['error']])).toEqual([
      ['WAL_STUCK', expect.stringContaining('another program reads the database')],
    ]);
    other.exec('COMMIT');
    await parts.clock.advance(10_000);
    expect(stored()).toBe(41 * SERIES);
    expect(booksOf(reader).balanced).toBe(1);
  });
});

describe('store: the size cap', () => {
  const limits = divideSpace({ dbMaxBytes: 8 * MIB, walCheckpointBytes: 64 * MIB });
  const capped = { limits, syncIntervalMs: 1e9 };

  function bytesTogether(): number {
    return ['', '-wal', '.ballast'].reduce(
      (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  }

  /** Some hours of a device with many series. */
  async function fillUp(count: number): Promise<number> {
    let largest = 0;
    const many = (turn: number) =>
      Array.from({ length: 500 }, (_, index) => reading('a.x', turn * index, { i: String(index) }));
    for (let turn = 0; turn < count; turn++) {
      await parts.clock.advance(10_000);
      parts.store.add(scrapeAt(parts.clock, parts.store, many(turn)));
      parts.store.flush();
      largest = Math.max(largest, bytesTogether());
    }
    return largest;
  }

  test('store: keeps within 8 MiB with WAL and ballast; delivered samples are evicted first, and none is lost', async () => {
    start(capped);
    for (let round = 0; round < 10; round++) {
      expect(await fillUp(40)).toBeLessThan(8 * MIB);
      reader.exec('DELETE FROM settled');
      deliver(reader, reader.prepare<[], number>('SELECT last_id FROM collector_state').pluck().get()!);
    }
    expect(booksOf(reader)).toEqual({
      collected: 200_000,
      delivered: 200_000,
      pending: 0,
      rejected: 0,
      dropped: 0,
      balanced: 1,
    });
    expect(stored()).toBeLessThan(150_000);
  });

  test('store: keeps within 8 MiB while nothing can be delivered: thins old samples, keeps the newest whole, and books each loss', async () => {
    start(capped);
    expect(await fillUp(600)).toBeLessThan(8 * MIB);
    const books = booksOf(reader);
    expect(books.balanced).toBe(1);
    expect(books.collected).toBe(300_000);
    expect(books.pending).toBeGreaterThan(60_000);
    const losses = reader
      .prepare<[], { reason: string; count: number; first_ms: number; last_ms: number }>('SELECT * FROM losses')
      .all();
    expect(losses.length).toBeLessThan(20);
    expect(
      losses.every(({ first_ms: first, last_ms: last }) => first >= NOW && last <= parts.clock.now() && first <= last),
    ).toBe(true);
    const perHour = reader
      .prepare<[number], [number, number]>(
        'SELECT (timestamp_ms - CAST(? AS INTEGER)) / 600000 AS part, COUNT(*) FROM metrics GROUP BY part ORDER BY part',
      )
      .raw()
      .all(NOW);
    // The newest ten minutes have all their samples; the oldest have some of them.
    expect(perHour.at(-2)?.[1]).toBe(30_000);
    expect(perHour[1]?.[1]).toBeLessThan(10_000);
  }, 120_000);

  test('store: a lower size cap shrinks the file at the next start, and evicted samples are in the ledger', async () => {
    start({ syncIntervalMs: 1e9 });
    await fillUp(500);
    const before = statSync(path).size + statSync(`${path}-wal`).size;
    expect(before).toBeGreaterThan(10 * MIB);
    await end();
    start({ ...capped, clock: parts.clock });
    expect(bytesTogether()).toBeLessThan(8 * MIB);
    const { collected, dropped, balanced } = booksOf(reader);
    expect({ collected, balanced }).toEqual({ collected: 250_000, balanced: 1 });
    expect(dropped).toBeGreaterThan(50_000);
    expect(await fillUp(20)).toBeLessThan(8 * MIB);
  }, 120_000);

  test('store: thins the least important series first', async () => {
    start(capped);
    for (let turn = 0; turn < 400; turn++) {
      await parts.clock.advance(10_000);
      const { store, clock } = parts;
      const many = Array.from({ length: 500 }, (_, index) => ({
        series: {
          name: index % 2 === 0 ? 'a.x' : 'b.x',
          kind: 'gauge' as const,
          unit: 'none' as const,
          help: '',
          priority: index % 2 === 0 ? 1 : 0,
        },
        labels: { i: String(index) },
        value: turn,
      }));
      store.add(scrapeAt(clock, store, many));
      store.flush();
    }
    const count = (name: string): number =>
      reader.prepare<[string], number>('SELECT COUNT(*) FROM metrics WHERE metric_name = ?').pluck().get(name)!;
    expect(booksOf(reader).dropped).toBeGreaterThan(0);
    expect(count('a.x')).toBe(100_000);
    expect(count('b.x')).toBeLessThan(60_000);
  }, 120_000);
});

test('store: deletes what was delivered within ten seconds after RETENTION, however much it is', async () => {
  start({ retentionMs: 60_000, flushIntervalMs: 0 });
  const many = Array.from({ length: 8_000 }, (_, index) => reading('a.x', index, { i: String(index) }));
  parts.store.add(scrapeAt(parts.clock, parts.store, many));
  parts.store.flush();
  const count = stored();
  deliver(reader, count);
  await parts.clock.advance(55_000);
  expect(stored()).toBe(count);
  for (let second = 0; second < 16; second++) await parts.clock.advance(1_000);
  expect(stored()).toBe(0);
});
