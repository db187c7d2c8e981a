import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, openSideFile, PAGE_SIZE, type Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

let folder: string;
let path: string;
let messages: string[];
const tell = (message: string): void => void messages.push(message);
const logger: Logger = { error: tell, warn: tell, info: tell, debug: tell, child: () => logger };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'prepare-'));
  path = join(folder, 'metrics.db');
  messages = [];
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A database with pages of SQLite's own size, or another one, and a few rows. */
function databaseWithLargePages(pageBytes = 4_096): void {
  const database = openSideFile(path);
  database.pragma(`page_size = ${pageBytes}`);
  database.pragma('journal_mode = WAL');
  migrate(database);
  database.exec(`INSERT INTO series VALUES (1, x'00', 'load.average_1m', '{}', 'board', 0, 1)`);
  const insert = database.prepare('INSERT INTO samples VALUES (?, 1, ?, ?)');
  for (let id = 1; id <= 500; id++) insert.run(id, 1_700_000_000_000 + id, id / 2);
  database.close();
}

function pageSize(database: Database): unknown {
  return database.pragma('page_size', { simple: true });
}

test('prepare: a new database has small pages', () => {
  const database = prepareDatabase(path, logger);
  expect(pageSize(database)).toBe(PAGE_SIZE);
  expect(messages).toEqual(['database migrated']);
  database.close();
});

test('prepare: rebuilds a database of large pages with small ones and keeps rows and journal mode', () => {
  databaseWithLargePages();
  const database = prepareDatabase(path, logger);
  expect(pageSize(database)).toBe(PAGE_SIZE);
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(database.prepare('SELECT COUNT(*), SUM(metric_value) FROM metrics').raw().get()).toEqual([500, 62_625]);
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(readdirSync(folder).filter((name) => name.includes('rebuild'))).toEqual([]);
  database.close();
});

test('prepare: a database with pages of 1,024 bytes, as earlier versions made them, is not copied', () => {
  databaseWithLargePages(1_024);
  const database = prepareDatabase(path, logger);
  expect([pageSize(database), messages]).toEqual([1_024, []]);
  database.close();
});

test('prepare: a database that another program has open keeps its pages and is used', () => {
  databaseWithLargePages();
  const other = openDatabase(path);
  other.prepare('SELECT COUNT(*) FROM samples').get();
  const database = prepareDatabase(path, logger);
  expect(pageSize(database)).not.toBe(PAGE_SIZE);
  expect(messages).toEqual(['kept large pages: database in use']);
  database.exec('INSERT INTO samples VALUES (501, 1, 1800000000000, 1)');
  expect(other.prepare('SELECT COUNT(*) FROM samples').pluck().get()).toBe(501);
  other.close();
  database.close();
});
