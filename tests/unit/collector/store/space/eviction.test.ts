import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';

import {
  readStoredValue,
  STALE_MARKER,
  toStoredValue,
  type SampleValue,
} from '@thugshells/shared/metrics/sample-value.ts';

import { readInstant } from '../../../../../collector/src/store/clock/clock-epochs.ts';
import { Eviction } from '../../../../../collector/src/store/space/eviction.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import {
  migratedDatabase,
  NOW,
  reading,
  startOn,
  createStatus,
} from '../../../../support/collector/collector-parts.ts';
import { booksOf } from '../../../../support/collector/prepared-store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** What Thinning takes for the bytes of a row. */
const ROW_BYTES = 48;
const folder = useTemporaryFolder();
let database: Database;
let parts: ReturnType<typeof startOn>;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  parts = startOn(database);
});

/** Stores scrapes of two series each. */
async function scrapes(count: number, everyMs: number): Promise<void> {
  for (let scrape = 0; scrape < count; scrape++) {
    await parts.clock.advance(everyMs);
    const at = readInstant(parts.clock);
    const { samples } = parts.admission.admit([reading('a.x', scrape), reading('a.y', scrape)], at.wallMs);
    parts.writer.commit([{ at, samples, status: createStatus() }]);
  }
}

/** Stores, at the time of the last scrape, a sample that is as much older, and one that is not. */
async function storeAged(ageMs: number): Promise<void> {
  await parts.clock.advance(1);
  const at = readInstant(parts.clock);
  const { samples } = parts.admission.admit([{ ...reading('a.aged', 1), ageMs }, reading('a.x', 1)], at.wallMs);
  parts.writer.commit([{ at, samples, status: createStatus() }]);
}

/** Settles a range of rows as delivered, as the uploader does. */
function deliver(first: number, last: number): void {
  database.prepare('INSERT INTO settled VALUES (?, ?)').run(first, last);
  database.prepare('UPDATE uploader_state SET delivered = delivered + ?').run(last - first + 1);
}

/** Stores how far the clock of a boot is ahead of the receiver's, as the uploader does. */
function compare(bootId: string, aheadMs: number): void {
  const { clock } = parts;
  const receiverMs = clock.now() - aheadMs;
  database
    .prepare('INSERT OR REPLACE INTO receiver_clock (boot_id, booted_at_ms, policy, measured_at) VALUES (?, ?, ?, ?)')
    .run(bootId, receiverMs - clock.sinceBoot(), 'hold', receiverMs);
}

function retention({ retentionMs = 3 * DAY, capacityRows = 1e6 } = {}): Eviction {
  const { clock, epochs, ledger } = parts;
  return new Eviction(database, { clock, epochs, ledger, retentionMs, usedBytes: capacityRows * ROW_BYTES });
}

function ids(): number[] {
  return database.prepare<[], number>('SELECT id FROM samples ORDER BY id').pluck().all();
}

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe('retention: rows older than RETENTION', () => {
  test('retention: deletes old rows that have been delivered, and no pending ones', async () => {
    await scrapes(10, HOUR);
    deliver(5, 8);
    await parts.clock.advance(30 * DAY);
    expect(retention().expire()).toEqual({ rows: 4, lost: 0 });
    expect(ids()).toEqual([...upTo(4), ...upTo(20, 9)]);
    expect(retention().expire()).toEqual({ rows: 0, lost: 0 });
    expect(booksOf(database)).toMatchObject({ collected: 20, delivered: 4, pending: 16, dropped: 0, balanced: 1 });
  });

  test('retention: keeps rows that are provisional, however old, until they are not', async () => {
    await scrapes(10, HOUR);
    deliver(1, 20);
    database.exec(
      "INSERT INTO provisional (accepted_at, ranges) VALUES (0, '[[3,4],[7,10]]'), (0, '[[5,6]]'), (0, 'x')",
    );
    await parts.clock.advance(30 * DAY);
    const eviction = retention();
    while (eviction.expire().rows > 0);
    expect(ids()).toEqual(upTo(10, 3));
    database.exec('DELETE FROM provisional');
    expect(eviction.expire()).toEqual({ rows: 8, lost: 0 });
    expect(booksOf(database)).toMatchObject({ collected: 20, delivered: 20, pending: 0, dropped: 0, balanced: 1 });
  });

  test('retention: deletes a delivered row once it is older than RETENTION, and not an hour earlier', async () => {
    await scrapes(10, HOUR);
    deliver(1, 20);
    // The first scrape was nine hours ago, the fifth one five.
    expect(retention({ retentionMs: 9 * HOUR }).expire()).toEqual({ rows: 0, lost: 0 });
    expect(retention({ retentionMs: 5 * HOUR - 1 }).expire()).toEqual({ rows: 10, lost: 0 });
    expect(ids()).toEqual(upTo(20, 11));
  });

  test('retention: a row with a time of its own takes no younger row around it along, and goes with them', async () => {
    await scrapes(5, HOUR);
    await storeAged(HOUR);
    await scrapes(5, HOUR);
    deliver(1, 22);
    // The scrape of rows 11 and 12 was five hours ago, and row 11 is an hour older.
    expect(retention({ retentionMs: 5.5 * HOUR }).expire()).toEqual({ rows: 8, lost: 0 });
    expect(ids()).toEqual(upTo(22, 9));
    expect(retention({ retentionMs: 5 * HOUR + 1 }).expire()).toEqual({ rows: 0, lost: 0 });
    expect(retention({ retentionMs: 5 * HOUR - 1 }).expire()).toEqual({ rows: 4, lost: 0 });
    expect(ids()).toEqual(upTo(22, 13));
  });

  test('retention: rows with a time that no sample can have keep no others', async () => {
    await scrapes(10, HOUR);
    deliver(1, 20);
    database.exec(
      `UPDATE samples SET timestamp_ms = 9e15 WHERE id = 3; UPDATE samples SET timestamp_ms = 'x' WHERE id = 4`,
    );
    expect(retention({ retentionMs: 5 * HOUR - 1 }).expire()).toEqual({ rows: 10, lost: 0 });
  });

  test.each([
    ['ten years ahead', 3_652 * DAY],
    ['ten years back', -3_652 * DAY],
  ])('retention: a clock that steps %s makes no row older, and none younger', async (_, stepMs) => {
    await scrapes(10, HOUR);
    deliver(1, 20);
    parts.clock.step(stepMs);
    await scrapes(10, HOUR);
    deliver(21, 40);
    expect(retention().expire()).toEqual({ rows: 0, lost: 0 });
    expect(retention({ retentionMs: 15 * HOUR - 1 }).expire().rows).toBe(10);
    expect(ids()).toEqual(upTo(40, 11));
  });

  test('retention: rows of an earlier boot expire by the receiver’s clock, not by this one’s', async () => {
    await scrapes(10, HOUR);
    deliver(1, 20);
    compare('boot-1', 0);
    const laterBy = (ms: number): void => {
      parts = startOn(database, { bootId: 'boot-2', clock: new FakeClock(parts.clock.now() + ms, 60_000) });
    };
    // The clock of the next boot is ten years ahead; it is an hour later.
    laterBy(3_652 * DAY);
    compare('boot-2', 3_652 * DAY - HOUR);
    expect(retention({ retentionMs: HOUR }).expire().rows).toBe(0);
    parts.clock.step(-3_652 * DAY + HOUR);
    expect(retention({ retentionMs: 9 * HOUR - 1 }).expire().rows).toBe(4);
    expect(ids()).toEqual(upTo(20, 5));
  });

  test('retention: rows of an earlier boot expire without a receiver’s clock once this boot is older than RETENTION', async () => {
    await scrapes(10, HOUR);
    deliver(1, 20);
    const clock = new FakeClock(parts.clock.now() + 3_652 * DAY, 0);
    parts = startOn(database, { bootId: 'boot-2', clock });
    expect(retention().expire().rows).toBe(0);
    await clock.advance(3 * DAY - 1);
    expect(retention().expire().rows).toBe(0);
    await clock.advance(1);
    expect(retention().expire().rows).toBe(20);
  });

  test('retention: a slice ends with its epoch, whose clock is not that of the next', async () => {
    await scrapes(10, HOUR);
    database.exec(
      `INSERT INTO epochs (first_id, offset_ms, trusted, boot_id, boot_base_ms, reason) SELECT 11, 0, 1, 'boot-0', NULL, ''`,
    );
    deliver(1, 20);
    expect(retention({ retentionMs: HOUR / 2 }).expire().rows).toBe(10);
    expect(ids()).toEqual(upTo(20, 11));
  });
});

describe('retention: eviction', () => {
  test('retention: evicts delivered rows first, however new, then thins pending ones and books them', async () => {
    await scrapes(30, 10_000);
    deliver(41, 50);
    const work = retention({ capacityRows: 20 });
    expect(work.evict()).toEqual({ rows: 10, lost: 0 });
    expect(ids()).toEqual([...upTo(40), ...upTo(60, 51)]);
    expect(booksOf(database)).toMatchObject({ pending: 50, dropped: 0, balanced: 1 });
    const thinned = work.evict()!;
    expect(thinned.lost).toBeGreaterThan(0);
    expect(booksOf(database)).toMatchObject({
      delivered: 10,
      pending: 50 - thinned.lost,
      dropped: thinned.lost,
      balanced: 1,
    });
    expect(database.prepare('SELECT reason, count FROM losses').raw().all()).toEqual([['thinned', thinned.lost]]);
  });

  test('retention: thinning keeps the first sample of each series and minute, and the newest rows whole', async () => {
    await scrapes(30, 10_000);
    const firstOfMinute = database
      .prepare<[], number>(
        'SELECT MIN(id) FROM samples WHERE id <= 50 GROUP BY series_id, timestamp_ms / 60000 ORDER BY 1',
      )
      .pluck()
      .all();
    const { lost } = retention({ capacityRows: 20 }).evict()!;
    expect(ids()).toEqual([...firstOfMinute, ...upTo(60, 51)]);
    expect(lost).toBe(50 - firstOfMinute.length);
    expect(firstOfMinute.length).toBeLessThan(14);
  });

  test('retention: thinning keeps beside the first sample of a series and minute that it ends there, and drops other ends', () => {
    database.exec(
      `INSERT INTO series (key, name, tags, device_id, value_type, priority) VALUES (x'00', 'a', '{}', 'b1', 0, 1)`,
    );
    const insert = database.prepare('INSERT INTO samples VALUES (?, 1, ?, ?)');
    const values: readonly SampleValue[] = [1, 2, STALE_MARKER, 3, STALE_MARKER, NaN, NaN];
    const minute = NOW - (NOW % 60_000);
    values.forEach((value, index) => insert.run(index + 1, BigInt(minute + index * 10_000), toStoredValue(value)));
    database.exec('UPDATE collector_state SET last_id = 7, collected = 7');
    const { lost } = retention({ capacityRows: 0 }).evict()!;
    expect([ids(), lost]).toEqual([[1, 3, 7], 4]);
    expect(database.prepare('SELECT value FROM samples').pluck().all().map(readStoredValue)).toEqual([
      1,
      STALE_MARKER,
      NaN,
    ]);
  });

  test('retention: evicts every row in the end, and the ledger counts each pending one', async () => {
    await scrapes(30, 10_000);
    const work = retention({ capacityRows: 20 });
    for (let slice = work.evict(); slice !== undefined; slice = work.evict()) continue;
    expect(ids()).toEqual([]);
    expect(booksOf(database)).toMatchObject({ collected: 60, pending: 0, dropped: 60, balanced: 1 });
  });
});
