/** Samples with times of their own, which stand among later ones, through everything that copies samples. */
import { readFileSync, writeFileSync } from 'node:fs';

import { beforeEach, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import { CorruptDatabase } from '../../../../../collector/src/store/recovery/corrupt-database.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { NOW, reading, scrapeAt, storeOn, view } from '../../../../support/collector/collector-parts.ts';
import { booksOf, copyDatabase } from '../../../../support/collector/prepared-store.ts';
import { smallDatabase, startImport } from '../../../../support/collector/set-aside-parts.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const SCRAPES = 60;
const AGES = [undefined, 0, 7, 600_000, 3_600_000];
let path: string;

beforeEach(() => void (path = folder.path('agent/metrics.db')));

/** Stores scrapes of one series for each age, and returns what the view has of them then. */
async function store(): Promise<{ readonly clock: FakeClock; readonly rows: unknown[] }> {
  const live = `${path}.live`;
  const parts = storeOn(live);
  const readings = AGES.map((ageMs, index): Reading => ({ ...reading('a.x', index, { i: String(index) }), ageMs }));
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    await parts.clock.advance(10_000);
    parts.store.add(scrapeAt(parts.clock, parts.store, readings));
    parts.store.flush();
  }
  copyDatabase(live, path);
  parts.store.close();
  return { clock: parts.clock, rows: inFile(readRows) };
}

function inFile<T>(use: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** Damages what `write` writes to, in the file itself. */
function damage(write: (database: Database) => void): void {
  inFile((database) => {
    database.unsafeMode(true);
    database.pragma('writable_schema = ON');
    write(database);
    database.pragma('wal_checkpoint(TRUNCATE)');
  });
}

function readRows(database: Database): unknown[] {
  return view(database, 'timestamp_ms, tags, metric_value')
    .map((row) => JSON.stringify(row))
    .sort();
}

/** Salvages the database, and returns its rows. */
function salvage(clock: FakeClock): unknown[] {
  const opened = folder.keep(storeOn(path, { clock }).store);
  void opened.run(new AbortController().signal);
  const rows = inFile(readRows);
  expect(inFile(booksOf)).toMatchObject({ pending: SCRAPES * AGES.length, dropped: 0, balanced: 1 });
  return rows;
}

test('sample ages: the newest row of table and index are the same, by which a corrupt database’s highest id is certain', async () => {
  const { rows } = await store();
  expect(rows[0]).toBe(JSON.stringify([NOW + 10_000 - 3_600_000, '{"i":"4"}', 4]));
  const source = new CorruptDatabase(path);
  expect([source.highestId(), source.isHighestIdCertain]).toEqual([SCRAPES * AGES.length, true]);
  source.close();
});

test('sample ages: a salvage by SQLite keeps them', async () => {
  const { clock, rows } = await store();
  damage((database) => database.exec(`DELETE FROM sqlite_schema WHERE name = 'samples_identity'`));
  expect(salvage(clock)).toEqual(rows);
});

test('sample ages: a salvage from the pages, of a file that SQLite cannot read, keeps them', async () => {
  const { clock, rows } = await store();
  damage(() => undefined);
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 0, PAGE_SIZE);
  writeFileSync(path, bytes);
  expect(salvage(clock)).toEqual(rows);
});

test('sample ages: the import of a set-aside database keeps them', async () => {
  const { rows } = await store();
  const aside = `${folder.path('agent/aside')}`;
  copyDatabase(path, aside);
  const other = `${folder.path('agent2/metrics.db')}`;
  path = other;
  await smallDatabase(path, NOW + 700_000);
  const own = inFile(readRows);
  copyDatabase(aside, `${path}.schema-${SCHEMA_VERSION}`);
  const copying = startImport(path, NOW + 900_000);
  copying.steps();
  copying.close();
  expect(inFile(readRows)).toEqual([...own, ...rows].sort());
  expect(inFile(booksOf)).toMatchObject({ dropped: 0, balanced: 1 });
});
