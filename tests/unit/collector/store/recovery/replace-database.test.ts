// Longer than a test should be: each kind of corruption is a case, followed to the last recovered row.
import { existsSync, readdirSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE, type Database } from '@thugshells/shared/database/open.ts';
import { Journal } from '@thugshells/shared/logging/journal.ts';

import { pruneKeptDatabases } from '../../../../../collector/src/store/recovery/kept-databases.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { RecordedLog } from '../../../../support/recorded-log.ts';
import { until } from '../../../../support/until.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { NOW, reading, scrapeAt, storeOn } from '../../../../support/collector/collector-parts.ts';
import {
  booksOf,
  copyDatabase,
  deliver,
  killedDatabase,
  scrapes,
  SERIES,
} from '../../../../support/collector/prepared-store.ts';

const folder = useTemporaryFolder();
let path: string;

beforeEach(() => {
  path = folder.path('metrics.db');
});

/** A clock by which every look at it takes a while, so that whatever has a time limit reaches it at once. */
class TryingClock extends FakeClock {
  perLookMs = 0;
  #lookedMs = 0;

  override monotonic(): number {
    this.#lookedMs += this.perLookMs;
    return super.monotonic() + this.#lookedMs;
  }
}

/** Makes whole pages of a file unreadable. */
function ruin(file: string, fromPage: number, pages = 1): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, (fromPage - 1) * PAGE_SIZE, (fromPage - 1 + pages) * PAGE_SIZE);
  writeFileSync(file, bytes);
}

/** The page of some of the rows. */
function sampleLeaf(number: number): { readonly page: number; readonly rows: number } {
  const database = openDatabase(path, { readonly: true });
  try {
    return database
      .prepare<[number], { page: number; rows: number }>(
        `SELECT pageno AS page, ncell AS rows FROM dbstat WHERE name = 'samples' AND pagetype = 'leaf' LIMIT 1 OFFSET ?`,
      )
      .get(number)!;
  } finally {
    database.close();
  }
}

function start(parts: ReturnType<typeof storeOn>): Database {
  folder.keep(parts.store);
  const stop = new AbortController();
  void parts.store.run(stop.signal);
  const reader = folder.keep(openDatabase(path));
  folder.keep({ close: () => stop.abort() });
  return reader;
}

function kept(): string[] {
  return readdirSync(dirname(path)).filter(
    (name) => name.startsWith(`${basename(path)}.damaged-`) && !/-(wal|shm)$/.test(name),
  );
}

function count(database: Database): number {
  return database.prepare<[], number>('SELECT COUNT(*) FROM samples').pluck().get()!;
}

describe('replaced database: corrupt at the start', () => {
  test('replaced database: the corrupt file is kept, dated, with its WAL', async () => {
    const { clock } = await killedDatabase(path, { inFile: 40, inWal: 5, delivered: 0 });
    const before = { file: statSync(path).size, wal: statSync(`${path}-wal`).size };
    ruin(path, sampleLeaf(0).page);
    start(storeOn(path, { clock }));
    expect(kept()).toEqual([`metrics.db.damaged-${new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '')}`]);
    expect(statSync(folder.path(kept()[0]!)).size).toBe(before.file);
    expect(statSync(`${folder.path(kept()[0]!)}-wal`).size).toBe(before.wal);
  });

  test('replaced database: samples keep times, labels and states; ids are not given twice', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 40, inWal: 5, delivered: 100 });
    const live = folder.keep(openDatabase(`${path}.live`, { readonly: true }));
    const all =
      'SELECT timestamp_ms, metric_name, metric_value, tags, device_id, uploaded FROM metrics ORDER BY timestamp_ms, tags';
    const expected = live.prepare(all).raw().all();
    // An entry of the index that differs from its row: every row can be read, and the check finds it.
    const corrupt = openDatabase(path);
    corrupt.unsafeMode(true);
    corrupt.pragma('writable_schema = ON');
    corrupt.exec(`DELETE FROM sqlite_schema WHERE name = 'samples_identity'`);
    corrupt.close();
    const parts = storeOn(path, { clock });
    const reader = start(parts);
    expect(parts.log.lines.find(({ level }) => level === 'error')?.fields['error']).toContain('never used');
    expect(reader.prepare(all).raw().all()).toEqual(expected);
    expect(booksOf(reader)).toEqual({
      collected: rows,
      delivered: 100,
      pending: rows - 100,
      rejected: 0,
      dropped: 0,
      balanced: 1,
    });
    expect(reader.prepare<[], number>('SELECT MIN(id) FROM samples').pluck().get()).toBe(rows + 1);
    expect(parts.log.said('warn')).toContain('warn: salvage finished');
  });

  test('replaced database: held samples stay held and can be corrected later', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 40, inWal: 0, delivered: 0 });
    const corrupt = openDatabase(path);
    corrupt.exec(
      `UPDATE epochs SET trusted = 0, boot_id = 'an earlier boot', boot_base_ms = 77, reason = 'start; the clock is wrong'`,
    );
    corrupt.unsafeMode(true);
    corrupt.pragma('writable_schema = ON');
    corrupt.exec(`DELETE FROM sqlite_schema WHERE name = 'samples_identity'`);
    corrupt.close();
    const reader = start(storeOn(path, { clock }));
    expect(count(reader)).toBe(rows);
    const epochs = reader
      .prepare('SELECT trusted, boot_id, boot_base_ms, reason FROM epochs WHERE first_id > 0')
      .raw()
      .all();
    expect(epochs).toEqual([[0, 'an earlier boot', 77, 'start; the clock is wrong']]);
  });

  test('replaced database: a schema format that SQLite does not know is corruption, and no sample is lost', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 40, inWal: 0, delivered: 0 });
    const bytes = readFileSync(path);
    // https://www.sqlite.org/fileformat.html, 1.3.10: the highest format is 4.
    bytes.writeUInt32BE(9, 44);
    writeFileSync(path, bytes);
    const reader = start(storeOn(path, { clock }));
    expect(kept()).toHaveLength(1);
    expect(count(reader)).toBe(rows);
  });

  test('replaced database: without its header every sample becomes pending, as it is not known what was delivered', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 60, inWal: 0, delivered: 200 });
    ruin(path, 1);
    const reader = start(storeOn(path, { clock }));
    expect(booksOf(reader)).toMatchObject({ pending: rows, balanced: 1 });
  });

  test('replaced database: if the books contradict the samples, every sample becomes pending', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 40, inWal: 0, delivered: 100 });
    const corrupt = openDatabase(path);
    corrupt.exec('UPDATE settled SET last_id = 300');
    corrupt.close();
    const reader = start(storeOn(path, { clock }));
    expect(booksOf(reader)).toMatchObject({ pending: rows, balanced: 1 });
  });

  test('replaced database: sessions are kept, and the current one is among them once', async () => {
    const { clock } = await killedDatabase(path, { inFile: 10, inWal: 0, delivered: 0 });
    ruin(path, 12);
    const reader = start(storeOn(path, { clock }));
    expect(reader.prepare('SELECT status FROM sessions ORDER BY start_time').pluck().all()).toEqual([
      'failed',
      'active',
    ]);
  });

  test('replaced database: boots that were counted are kept, and this one is not counted twice', async () => {
    const { clock } = await killedDatabase(path, { inFile: 10, inWal: 0, delivered: 0 });
    const before = openDatabase(path);
    before.exec('UPDATE boots SET counted = 5, unclean = 2, last_clean = 1');
    const [boot] = before.prepare('SELECT boot_id FROM boots').pluck().all();
    before.pragma('wal_checkpoint(TRUNCATE)');
    before.close();
    ruin(path, 12);
    const reader = start(storeOn(path, { clock }));
    expect(kept()).toHaveLength(1);
    expect(reader.prepare('SELECT boot_id, counted, unclean, last_clean FROM boots').raw().all()).toEqual([
      [boot, 5, 2, 1],
    ]);
  });

  test('replaced database: the journal of the process before is kept, and goes on with the corruption', async () => {
    const { clock } = await killedDatabase(path, { inFile: 10, inWal: 0, delivered: 0 });
    const before = openDatabase(path);
    before.exec(`INSERT INTO journal VALUES (5, 1, 2, 'error', 'disk I/O error', '{"error":"EIO"}', 3)`);
    before.pragma('wal_checkpoint(TRUNCATE)');
    before.close();
    ruin(path, 12);
    const journal = new Journal(clock);
    const log = new RecordedLog();
    const parts = storeOn(path, { clock, journal, logger: journal.wrap(log) });
    const reader = start(parts);
    expect(kept()).toHaveLength(1);
    const stored = () => reader.prepare('SELECT id, message, times FROM journal ORDER BY id').raw().all();
    expect(stored()).toEqual([[5, 'disk I/O error', 3]]);
    await scrapes(parts, 1);
    expect(stored().slice(0, 2)).toEqual([
      [5, 'disk I/O error', 3],
      [6, 'database corrupt, rebuilding', 1],
    ]);
  });

  test('replaced database: samples that could not be read are in the ledger', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 60, inWal: 0, delivered: 0 });
    const leaf = sampleLeaf(3);
    ruin(path, leaf.page);
    const reader = start(storeOn(path, { clock }));
    expect(booksOf(reader)).toEqual({
      collected: rows,
      delivered: 0,
      pending: rows - leaf.rows,
      rejected: 0,
      dropped: leaf.rows,
      balanced: 1,
    });
    expect(reader.prepare('SELECT reason, count FROM losses').raw().all()).toEqual([['corruption', leaf.rows]]);
  });

  test('keeps every pending row if two bytes of one row’s id have changed', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 690, inWal: 0, delivered: 0 });
    const bytes = readFileSync(path);
    const id = 4_000;
    // The cell's length, the id as two bytes with seven bits each, the record's header and its first type.
    const found = bytes.indexOf(Buffer.from([0x80 | (id >> 7), id & 0x7f, 5, 0, 1]));
    bytes.set([0xff, 0x7f], found);
    writeFileSync(path, bytes);
    const reader = start(storeOn(path, { clock }));
    expect(kept()).toHaveLength(1);
    expect(booksOf(reader)).toMatchObject({ pending: rows, dropped: 0, balanced: 1 });
  });

  test('keeps its books if one of the two places in which they are cannot be read', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 60, inWal: 0, delivered: 200 });
    const database = openDatabase(path, { readonly: true });
    const root = database.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck();
    const pages = ['collector_state', 'books_copy'].map((name) => root.get(name)!);
    database.close();
    expect(Math.abs(pages[0]! - pages[1]!)).toBeGreaterThan(4);
    ruin(path, pages[0]!);
    const leaf = sampleLeaf(12);
    ruin(path, leaf.page);
    const reader = start(storeOn(path, { clock }));
    expect(booksOf(reader)).toEqual({
      collected: rows,
      delivered: 200,
      pending: rows - 200 - leaf.rows,
      rejected: 0,
      dropped: leaf.rows,
      balanced: 1,
    });
  });

  test('has an upper bound of what is lost in its ledger if its books cannot be read at all, and does not balance', async () => {
    const { clock } = await killedDatabase(path, { inFile: 60, inWal: 0, delivered: 0 });
    const database = openDatabase(path, { readonly: true });
    const root = database.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck();
    const pages = ['collector_state', 'books_copy'].map((name) => root.get(name)!);
    database.close();
    const leaf = sampleLeaf(3);
    for (const page of [...pages, leaf.page]) ruin(path, page);
    const reader = start(storeOn(path, { clock }));
    const { dropped, balanced } = booksOf(reader);
    expect([dropped >= leaf.rows, dropped < 300, balanced]).toEqual([true, true, null]);
    expect(reader.prepare('SELECT reason, count FROM losses').raw().all()).toEqual([['estimated', dropped]]);
  });
});

describe('replaced database: an interrupted salvage', () => {
  test('salvage: goes on at the next start, loses nothing and copies nothing twice', async () => {
    const { rows } = await killedDatabase(path, { inFile: 900, inWal: 0, delivered: 500 });
    ruin(path, 1);
    const clock = new TryingClock(NOW + 9_000_000);
    clock.perLookMs = 1_000;
    const first = storeOn(path, { clock });
    const reader = folder.keep(openDatabase(path));
    const between = booksOf(reader);
    expect(between.balanced).toBe(1);
    expect(count(reader)).toBeLessThan(rows);
    clock.perLookMs = 0;
    await scrapes(first, 2);
    // Its process is killed: what a new one finds is the files.
    const killed = folder.path('killed.db');
    copyDatabase(path, killed);
    for (const name of kept()) copyDatabase(folder.path(name), folder.path(name.replace('metrics.db', 'killed.db')));
    first.store.close();
    reader.close();
    path = killed;
    const salvaging = folder.keep(openDatabase(path));
    expect(salvaging.prepare('SELECT step FROM salvage').pluck().all()).not.toEqual([]);
    salvaging.prepare(`UPDATE salvage SET file = replace(file, 'metrics.db', 'killed.db')`).run();
    const second = storeOn(path, { clock: new FakeClock(clock.now()) });
    const after = start(second);
    await second.clock.advance(10_000);
    expect(after.prepare('SELECT COUNT(*) FROM salvage').pluck().get()).toBe(0);
    expect(count(after)).toBe(rows + 2 * SERIES);
    expect(after.prepare('SELECT COUNT(*) FROM (SELECT DISTINCT timestamp_ms, tags FROM metrics)').pluck().get()).toBe(
      rows + 2 * SERIES,
    );
    expect(booksOf(after).balanced).toBe(1);
  });

  test('replacement: a kill before the last rename leaves a complete database, old or new', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 20, inWal: 0, delivered: 0 });
    writeFileSync(`${path}.new`, 'half a database');
    const first = storeOn(path, { clock });
    expect(existsSync(`${path}.new`)).toBe(false);
    first.store.close();
    renameSync(path, `${path}.new`);
    const second = storeOn(path, { clock });
    expect(existsSync(`${path}.new`)).toBe(false);
    expect(count(start(second))).toBe(rows);
  });
});

describe('replaced database: corruption while the collector runs', () => {
  test('corruption that a delete meets: the database is replaced and collection goes on', async () => {
    const parts = storeOn(path, { clock: new FakeClock(NOW), retentionMs: 3_600_000, syncIntervalMs: 1e9 });
    const reader = start(parts);
    const many = Array.from({ length: 1_000 }, (_, index) => reading('a.x', index, { i: String(index) }));
    for (let scrape = 0; scrape < 120; scrape++) {
      await parts.clock.advance(10_000);
      parts.store.add(scrapeAt(parts.clock, parts.store, many));
      parts.store.flush();
    }
    deliver(reader, 100_000);
    reader.pragma('wal_checkpoint(TRUNCATE)');
    ruin(path, sampleLeaf(0).page, 40);
    await parts.clock.advance(3_700_000);
    await scrapes(parts, 2);
    expect(parts.log.said('error')).toContain('error: database corrupt, rebuilding');
    const rebuilt = folder.keep(openDatabase(path));
    expect(rebuilt.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(booksOf(rebuilt)).toMatchObject({ balanced: 1 });
    expect(
      rebuilt
        .prepare<[number], number>('SELECT COUNT(*) FROM metrics WHERE timestamp_ms > ?')
        .pluck()
        .get(parts.clock.now() - 20_000),
    ).toBe(2 * SERIES);
  }, 120_000);

  test('corruption that the uploader reports is checked on a thread, and the database is replaced', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 60, inWal: 0, delivered: 0 });
    const parts = storeOn(path, { clock });
    const reader = start(parts);
    reader.pragma('wal_checkpoint(TRUNCATE)');
    ruin(path, sampleLeaf(5).page);
    reader.exec('UPDATE uploader_state SET suspected_at = 1');
    await until('the corruption is found', async () => {
      await parts.clock.advance(1_000);
      return kept().length > 0;
    });
    const rebuilt = folder.keep(openDatabase(path));
    expect(rebuilt.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(rebuilt.prepare('SELECT suspected_at FROM uploader_state').pluck().get()).toBeNull();
    expect(booksOf(rebuilt)).toMatchObject({ collected: rows, balanced: 1 });
  });

  test('a database too large to be checked before it is opened is checked on a thread, and replaced', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 60, inWal: 0, delivered: 0 });
    const database = openDatabase(path);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    ruin(path, sampleLeaf(5).page);
    // Larger than its header says: SQLite ignores what follows.
    truncateSync(path, 33 * 1024 ** 2);
    const parts = storeOn(path, { clock });
    start(parts);
    expect(kept()).toEqual([]);
    await until('the corruption is found', async () => {
      await parts.clock.advance(1_000);
      return kept().length > 0;
    });
    const rebuilt = folder.keep(openDatabase(path));
    expect(rebuilt.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(booksOf(rebuilt)).toMatchObject({ collected: rows, balanced: 1 });
  });

  test('corruption that a check does not confirm is checked once and changes nothing', async () => {
    const { rows, clock } = await killedDatabase(path, { inFile: 20, inWal: 0, delivered: 0 });
    const parts = storeOn(path, { clock });
    const reader = start(parts);
    reader.exec('UPDATE uploader_state SET suspected_at = 1');
    await parts.clock.advance(10_000);
    await until('the check is over', async () => {
      await parts.clock.advance(1_000);
      return reader.prepare('SELECT suspected_at FROM uploader_state').pluck().get() === null;
    });
    expect(kept()).toEqual([]);
    expect(count(reader)).toBe(rows);
  });
});

test('corrupt databases: the newest three are kept, within the size limit', () => {
  for (let day = 1; day <= 5; day++)
    for (const suffix of ['', '-wal'])
      writeFileSync(`${path}.damaged-2026010${day}T000000Z${suffix}`, Buffer.alloc(1_000));
  pruneKeptDatabases(path, 1_000_000);
  expect(kept()).toEqual([3, 4, 5].map((day) => `metrics.db.damaged-2026010${day}T000000Z`));
  pruneKeptDatabases(path, 4_500);
  expect(kept()).toEqual([4, 5].map((day) => `metrics.db.damaged-2026010${day}T000000Z`));
  pruneKeptDatabases(path, 1_000);
  expect(readdirSync(dirname(path))).toEqual([]);
});
