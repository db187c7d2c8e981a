import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { thrownBy } from './thrown.ts';

const MIGRATIONS = join(import.meta.dirname, '../../migrations');

/** The first milestone's database: its table, and no record of a version. */
export function versionOne(path: string): Database {
  const database = openDatabase(path, { create: true });
  database.exec(readFileSync(join(MIGRATIONS, '0001-metrics.sql'), 'utf8'));
  return database;
}

/** Brings a database to version 2 by the program itself: a table that is in the way makes migration 3 fail. */
export function toVersionTwo(database: Database): unknown {
  database.exec('CREATE TABLE series (in_the_way)');
  const error = thrownBy(() => migrate(database));
  database.exec('DROP TABLE series');
  return error;
}

/** A hash over the schema and every row of every table. */
export function fingerprint(database: Database): string {
  const hash = createHash('sha256');
  const schema = database
    .prepare<[string], { type: string; name: string; sql: string | null }>(
      'SELECT type, name, sql FROM sqlite_schema WHERE name <> ? ORDER BY name',
    )
    // SQLite's own list of ids; a copy has none where no table asks for it.
    .all('sqlite_sequence');
  hash.update(JSON.stringify(schema));
  for (const { name } of schema.filter(({ type }) => type === 'table')) {
    hash.update(name);
    for (const row of database.prepare(`SELECT rowid, * FROM "${name}" ORDER BY rowid`).raw().iterate()) {
      hash.update(JSON.stringify(row));
    }
  }
  return hash.digest('hex');
}
