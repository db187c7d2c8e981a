/** NaN, the stale marker and −0, which the database holds as bytes, through everything that copies samples. */
import { readFileSync, writeFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import {
  readStoredValue,
  STALE_MARKER,
  toStoredValue,
  type SampleValue,
} from '@thugshells/shared/metrics/sample-value.ts';
import { declareForeignSeries } from '@thugshells/shared/metrics/series.ts';

import { PageFile } from '../../../../../collector/src/store/recovery/leaf-pages.ts';
import { readSampleCells } from '../../../../../collector/src/store/recovery/source-sample.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { NOW, scrapeAt, storeOn } from '../../../../support/collector/collector-parts.ts';
import { booksOf, copyDatabase } from '../../../../support/collector/prepared-store.ts';
import { smallDatabase, startImport } from '../../../../support/collector/set-aside-parts.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const SCRAPES = 40;
const values: readonly SampleValue[] = [1.5, NaN, STALE_MARKER, -0, 0, Infinity];

/** Stores scrapes of one series for each value. */
async function store(path: string): Promise<FakeClock> {
  const live = `${path}.live`;
  const parts = storeOn(live, { remoteProtocol: 'remote-write' });
  const readings = values.map((value, index): Reading => ({
    series: declareForeignSeries('a_x', 'gauge'),
    labels: { i: String(index) },
    value,
  }));
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    await parts.clock.advance(10_000);
    parts.store.add(scrapeAt(parts.clock, parts.store, readings));
    parts.store.flush();
  }
  copyDatabase(live, path);
  parts.store.close();
  return parts.clock;
}

/** Damages what `write` writes to, in the file itself. */
function damage(path: string, write: (database: Database) => void): void {
  const database = openDatabase(path);
  database.unsafeMode(true);
  database.pragma('writable_schema = ON');
  write(database);
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}

/** The values of each series, in the order of their times. */
function read(database: Database): SampleValue[][] {
  const rows = database
    .prepare(
      `SELECT value FROM samples JOIN series AS s ON s.id = series_id WHERE name = 'a_x' AND tags = ? ORDER BY timestamp_ms`,
    )
    .pluck();
  return values.map((_, index) => rows.all(`{"i":"${index}"}`).map((stored) => readStoredValue(stored)!));
}

const expected = values.map((value) => Array<SampleValue>(SCRAPES).fill(value));

test('special values: reading them from the pages of a file returns them, and no bytes that are none, nor a number that damage made NaN', () => {
  const path = folder.path('pages.db');
  const database = openDatabase(path, { create: true });
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, series_id, timestamp_ms, value)');
  const insert = database.prepare('INSERT INTO t VALUES (?, 1, ?, ?)');
  const stored = [...values.map(toStoredValue), Buffer.from('7ff8000000000003', 'hex'), null, Math.PI];
  stored.forEach((value, index) => insert.run(index + 1, BigInt(NOW), value));
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  const bytes = readFileSync(path);
  const number = Buffer.alloc(8);
  number.writeDoubleBE(Math.PI);
  bytes.writeDoubleBE(NaN, bytes.indexOf(number));
  writeFileSync(path, bytes);
  const pages = new PageFile(path);
  const cells = Array.from({ length: pages.count }, (_, place) => readSampleCells(pages, place)).flat();
  pages.close();
  expect(cells.map((cell) => cell?.value)).toEqual([...values, undefined, undefined, undefined]);
});

test('special values: a salvage by SQLite keeps them', async () => {
  const path = folder.path('rows/metrics.db');
  const clock = await store(path);
  damage(path, (database) => database.exec(`DELETE FROM sqlite_schema WHERE name = 'samples_identity'`));
  const parts = folder.keep(storeOn(path, { clock }).store);
  void parts.run(new AbortController().signal);
  const database = folder.keep(openDatabase(path));
  expect(read(database)).toEqual(expected);
  expect(booksOf(database)).toMatchObject({ pending: SCRAPES * values.length, dropped: 0, balanced: 1 });
});

test('special values: a salvage from the pages, of a file that SQLite cannot read, keeps them', async () => {
  const path = folder.path('pages/metrics.db');
  const clock = await store(path);
  damage(path, () => undefined);
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 0, PAGE_SIZE);
  writeFileSync(path, bytes);
  const parts = folder.keep(storeOn(path, { clock }).store);
  void parts.run(new AbortController().signal);
  expect(read(folder.keep(openDatabase(path)))).toEqual(expected);
});

test('special values: taking over a set-aside database keeps them', async () => {
  const path = folder.path('agent/metrics.db');
  await smallDatabase(path, NOW + 7_200_000);
  await store(`${path}.schema-${SCHEMA_VERSION}`);
  const copying = startImport(path, NOW + 8_000_000);
  copying.steps();
  copying.close();
  expect(read(folder.keep(openDatabase(path)))).toEqual(expected);
});
