import { readFileSync, writeFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, PAGE_SIZE } from '@thugshells/shared/database/open.ts';

import { CorruptDatabase } from '../../../../../collector/src/store/recovery/corrupt-database.ts';
import type { IndexPages } from '../../../../../collector/src/store/recovery/index-pages.ts';
import { PageCensus } from '../../../../../collector/src/store/recovery/page-census.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const ROWS = 3_000;
const IDS = Array.from({ length: ROWS }, (_, index) => index + 1);

function timeOf(id: number): number {
  return 1_700_000_000_000 + Math.floor(id / 60);
}

/** A database with samples, and the pages of their index. */
function createDatabase(path: string): {
  readonly interior: number[];
  readonly leaves: number[];
  readonly root: number;
} {
  const database = openDatabase(path, { create: true });
  migrate(database);
  const insert = database.prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, 1)');
  database.transaction(() => IDS.forEach((id) => insert.run(id, id % 60, timeOf(id))))();
  const pages = (type: string): number[] =>
    database
      .prepare<[string], number>("SELECT pageno FROM dbstat WHERE name = 'samples_identity' AND pagetype = ?")
      .pluck()
      .all(type);
  const [leaves, [root = 0, ...interior]] = [pages('leaf'), pages('internal')];
  database.close();
  return { leaves, root, interior };
}

/** What the census finds of the index when some pages are noise. */
function readIndexWithout(path: string, pages: readonly number[]): IndexPages {
  const bytes = readFileSync(path);
  for (const page of pages) bytes.fill(255, (page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  writeFileSync(path, bytes);
  const source = new CorruptDatabase(path);
  const { index } = new PageCensus(source).complete();
  source.close();
  return index;
}

test('pages of the samples’ index: every entry below a damaged root is found, those of interior pages too', () => {
  const path = folder.path('metrics.db');
  const { root } = createDatabase(path);
  const onRoot = readFileSync(path).readUInt16BE((root - 1) * PAGE_SIZE + 3);
  const index = readIndexWithout(path, [root]);
  const found = IDS.filter((id) => index.find(timeOf(id), id % 60) === id);
  expect(found).toHaveLength(ROWS - onRoot);
});

test('pages of the samples’ index: below interior pages whose leaves are damaged their own entries are found, and no other is taken for absent', () => {
  const path = folder.path('metrics.db');
  const { leaves, interior, root } = createDatabase(path);
  const bytes = readFileSync(path);
  const above = [root, ...interior].map((page) => bytes.readUInt16BE((page - 1) * PAGE_SIZE + 3));
  const index = readIndexWithout(path, leaves);
  expect(interior.length).toBeGreaterThan(1);
  expect(IDS.filter((id) => index.covers(timeOf(id)))).toEqual([]);
  expect(IDS.filter((id) => index.find(timeOf(id), id % 60) === id)).toHaveLength(above.reduce((sum, n) => sum + n, 0));
});

test('pages of the samples’ index: the entry to which SQLite comes by a damaged leaf is found', () => {
  const path = folder.path('metrics.db');
  const { leaves } = createDatabase(path);
  const index = readIndexWithout(path, [leaves[10]!]);
  expect(IDS.filter((id) => index.find(timeOf(id), id % 60) === id)).toHaveLength(1);
});
