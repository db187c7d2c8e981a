import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE } from '@thugshells/shared/database/open.ts';

import { FakeClock } from '../../../../support/fake-clock.ts';
import { storeOn } from '../../../../support/collector/collector-parts.ts';
import {
  booksOf,
  copyDatabase,
  killedDatabase,
  scrapes,
  SERIES,
} from '../../../../support/collector/prepared-store.ts';

/**
 * Corrupts a database of some hundred pages and its WAL in every way and at many places. The collector always goes on,
 * `integrity_check` passes afterwards, and the books balance. SQLite's page map shows how many rows have to survive: only
 * those whose single copy is on the corrupt page may be lost.
 */

const FRAME = PAGE_SIZE + 24;
const IN_FILE = 60;
const IN_WAL = 40;
const DELIVERED = 300;

/** One way to corrupt files, and how many rows have to survive it. */
interface Damage {
  readonly name: string;
  readonly apply: (path: string) => void;
  readonly atLeast: number;
}

let folder: string;
let base: string;
let rows: number;
let now: number;
const damages: Damage[] = [];

/** Which rows are on which page of the file, and which pages have a newer version in the WAL. */
interface Layout {
  readonly rowsOnPage: ReadonlyMap<number, number>;
  /** Rows whose index entry is on this page: a row that disagrees with its entry is not copied. */
  readonly entriesOnPage: ReadonlyMap<number, number>;
  /** The leaves of each table in which all series have their names. */
  readonly namePages: readonly (readonly number[])[];
  readonly pages: number;
  readonly pagesInWal: ReadonlySet<number>;
  readonly frames: number;
}

function layoutOf(path: string): Layout {
  const copy = `${path}.layout`;
  copyDatabase(path, copy);
  rmSync(`${copy}-wal`);
  const database = openDatabase(copy, { readonly: true });
  const pagesOf = (name: string): [number, number][] =>
    database.prepare<[string], [number, number]>('SELECT pageno, ncell FROM dbstat WHERE name = ?').raw().all(name);
  const leavesOf = (name: string): [number, number][] =>
    database
      .prepare<[string], [number, number]>(`SELECT pageno, ncell FROM dbstat WHERE name = ? AND pagetype = 'leaf'`)
      .raw()
      .all(name);
  const leaves = leavesOf('samples');
  const entries = pagesOf('samples_identity');
  const namePages = ['series', 'series_copy'].map((name) => leavesOf(name).map(([page]) => page));
  const pages = database.pragma('page_count', { simple: true }) as number;
  database.close();
  const wal = readFileSync(`${path}-wal`);
  const frames = Math.floor((wal.length - 32) / FRAME);
  const pagesInWal = new Set(Array.from({ length: frames }, (_, frame) => wal.readUInt32BE(32 + frame * FRAME)));
  return { rowsOnPage: new Map(leaves), entriesOnPage: new Map(entries), namePages, pages, pagesInWal, frames };
}

function edit(file: string, change: (bytes: Buffer) => void): (path: string) => void {
  return (path) => {
    const bytes = readFileSync(path + file);
    change(bytes);
    writeFileSync(path + file, bytes);
  };
}

/** Rows that only these pages of the file hold. */
function rowsOn(layout: Layout, pages: Iterable<number>): number {
  let sum = 0;
  for (const page of pages) if (!layout.pagesInWal.has(page)) sum += layout.rowsOnPage.get(page) ?? 0;
  return sum;
}

function everyPage(layout: Layout): Damage[] {
  return Array.from({ length: layout.pages }, (_, index) => index + 1).flatMap((page): Damage[] => {
    const at = (page - 1) * PAGE_SIZE;
    const onPage = rowsOn(layout, [page]);
    const vouchedFor = onPage + (layout.pagesInWal.has(page) ? 0 : (layout.entriesOnPage.get(page) ?? 0));
    return [
      {
        name: `page ${page} zeroed`,
        apply: edit('', (bytes) => bytes.fill(0, at, at + PAGE_SIZE)),
        atLeast: rows - onPage,
      },
      {
        name: `page ${page} with its first byte flipped`,
        apply: edit('', (bytes) => (bytes[at]! ^= 0xff)),
        atLeast: rows - onPage,
      },
      {
        name: `page ${page} with a byte in its middle flipped`,
        apply: edit('', (bytes) => (bytes[at + PAGE_SIZE / 2]! ^= 0x10)),
        atLeast: rows - vouchedFor,
      },
      {
        name: `page ${page} with its end full of ones`,
        apply: edit('', (bytes) => bytes.fill(0xff, at + PAGE_SIZE - 124, at + PAGE_SIZE)),
        atLeast: rows - vouchedFor,
      },
    ];
  });
}

function cuts(layout: Layout): Damage[] {
  return [
    0,
    1,
    99,
    100,
    PAGE_SIZE,
    2 * PAGE_SIZE,
    3 * PAGE_SIZE,
    5 * PAGE_SIZE,
    20 * PAGE_SIZE,
    40 * PAGE_SIZE + 7,
    (layout.pages - 1) * PAGE_SIZE,
    layout.pages * PAGE_SIZE - 1,
  ].map((bytes) => {
    const lostPages = Array.from({ length: layout.pages }, (_, index) => index + 1).filter(
      (page) => page * PAGE_SIZE > bytes,
    );
    // A page that is cut in its middle is read as far as it goes: as an index it vouches for nothing.
    const unvouched = bytes % PAGE_SIZE === 0 ? 0 : (layout.entriesOnPage.get(Math.ceil(bytes / PAGE_SIZE)) ?? 0);
    const isLost = (page: number): boolean => lostPages.includes(page) && !layout.pagesInWal.has(page);
    const areNamed = layout.namePages.some((pages) => !pages.some(isLost));
    return {
      name: `the file cut to ${bytes} bytes`,
      apply: (path) => truncateSync(path, bytes),
      atLeast: areNamed ? rows - rowsOn(layout, lostPages) - unvouched : 0,
    };
  });
}

/** Of a damaged WAL SQLite takes what stands before the damage; the file alone has everything up to the last WAL checkpoint. */
function walDamages(layout: Layout): Damage[] {
  const inFile = IN_FILE * SERIES;
  const places = [
    0,
    4,
    8,
    16,
    24,
    31,
    32,
    40,
    56,
    60,
    700,
    32 + 10 * FRAME,
    32 + 50 * FRAME + 300,
    32 + (layout.frames - 1) * FRAME,
  ];
  return places.flatMap((at): Damage[] => [
    { name: `the WAL cut to ${at} bytes`, apply: (path) => truncateSync(`${path}-wal`, at), atLeast: inFile },
    { name: `the WAL’s byte ${at} flipped`, apply: edit('-wal', (bytes) => (bytes[at]! ^= 0x55)), atLeast: inFile },
    { name: `the WAL zeroed from ${at} on`, apply: edit('-wal', (bytes) => bytes.fill(0, at)), atLeast: inFile },
  ]);
}

function others(): Damage[] {
  const inFile = IN_FILE * SERIES;
  const garbage = Buffer.alloc(32_768, 'thugshells');
  return [
    { name: 'a -shm of garbage', apply: (path) => writeFileSync(`${path}-shm`, garbage), atLeast: rows },
    { name: 'a -shm of one byte', apply: (path) => writeFileSync(`${path}-shm`, 'x'), atLeast: rows },
    { name: 'a file of garbage', apply: (path) => writeFileSync(path, Buffer.alloc(50_000, 'thugshells')), atLeast: 0 },
    { name: 'a WAL of garbage', apply: (path) => writeFileSync(`${path}-wal`, garbage), atLeast: inFile },
    { name: 'no file beside the WAL', apply: (path) => rmSync(path), atLeast: 0 },
    { name: 'no WAL', apply: (path) => rmSync(`${path}-wal`), atLeast: inFile },
  ];
}

beforeAll(async () => {
  // In memory where there is such a place: hundreds of databases are forced to the disk here, which takes a minute.
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'thugshells-damage-'));
  base = join(folder, 'base.db');
  const killed = await killedDatabase(base, { inFile: IN_FILE, inWal: IN_WAL, delivered: DELIVERED });
  rows = killed.rows;
  now = killed.clock.now();
  const layout = layoutOf(base);
  damages.push(...everyPage(layout), ...cuts(layout), ...walDamages(layout), ...others());
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the collector on corrupt files; returns what is wrong afterwards, in words. */
async function wrongAfter(damage: Damage): Promise<string[]> {
  const home = mkdtempSync(join(folder, 'run-'));
  const damaged = join(home, 'metrics.db');
  copyDatabase(base, damaged);
  damage.apply(damaged);
  const parts = storeOn(damaged, { clock: new FakeClock(now) });
  const stop = new AbortController();
  const running = parts.store.run(stop.signal);
  await scrapes(parts, 3);
  await parts.clock.advance(2_000);
  stop.abort();
  await running;
  parts.store.close();
  const database = openDatabase(damaged, { readonly: true });
  try {
    const found: string[] = [];
    const integrity = database.pragma('integrity_check', { simple: true });
    const books = booksOf(database);
    const survivors = database
      .prepare<[number], number>('SELECT COUNT(*) FROM metrics WHERE timestamp_ms <= ?')
      .pluck()
      .get(now)!;
    const fresh = database
      .prepare<[number], number>('SELECT COUNT(*) FROM metrics WHERE timestamp_ms > ?')
      .pluck()
      .get(now)!;
    if (integrity !== 'ok') found.push(`integrity: ${String(integrity)}`);
    // NULL where nobody can know: then there is an estimate in the ledger.
    if (books.balanced === 0) found.push(`books: ${JSON.stringify(books)}`);
    if (survivors < damage.atLeast || survivors > rows)
      found.push(`${survivors} rows survived, not ${damage.atLeast} to ${rows}`);
    if (fresh !== 3 * SERIES) found.push(`${fresh} new rows`);
    return found.map((what) => `${damage.name}: ${what}`);
  } finally {
    database.close();
    rmSync(home, { recursive: true });
  }
}

test('corruption: for any cut, flipped or zeroed bytes the collector goes on and keeps what can be read', async () => {
  expect(damages.length).toBeGreaterThan(200);
  const found: string[] = [];
  for (const damage of damages) found.push(...(await wrongAfter(damage)));
  expect(found).toEqual([]);
}, 300_000);
