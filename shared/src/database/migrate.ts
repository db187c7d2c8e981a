import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { AgentError, messageOf } from '../errors.js';
import { canonicalTags, dedupKey, seriesKey, type Labels, type ValueType } from '../sample.js';
import type { Database } from './open.js';
import { SCHEMA_VERSION, schemaVersion } from './schema-version.js';

/** One file of migrations/. */
interface Migration {
  readonly version: number;
  readonly file: string;
  readonly statements: readonly string[];
}

/** What a run of migrate() did. */
export interface MigrationResult {
  readonly from: number;
  readonly to: number;
}

const migrationsFolder = fileURLToPath(new URL('../../../migrations', import.meta.url));

/**
 * Brings a database to the version that this program knows, each migration in one transaction with its record.
 * Running it again changes nothing; two collectors that start at once wait for each other.
 *
 * @throws AgentError DATABASE_TOO_NEW for a database of a later program, MIGRATION_FAILED naming the statement
 */
export function migrate(database: Database): MigrationResult {
  refuseNewer(database);
  registerFunctions(database);
  const from = schemaVersion(database);
  for (const migration of readMigrations()) apply(database, migration);
  return { from, to: schemaVersion(database) };
}

/**
 * Refuses a database that a later program has migrated.
 *
 * @throws AgentError DATABASE_TOO_NEW, naming both versions
 */
export function refuseNewer(database: Database): void {
  const version = schemaVersion(database);
  if (version <= SCHEMA_VERSION) return;
  throw new AgentError(
    `the database has schema version ${version}, this program knows versions up to ${SCHEMA_VERSION}`,
    { code: 'DATABASE_TOO_NEW', hint: 'install the program that wrote it, or a later one; nothing was changed' },
  );
}

function apply(database: Database, migration: Migration): void {
  const run = database.transaction(() => {
    // Asked again inside the write lock: another collector may have been quicker.
    if (schemaVersion(database) >= migration.version) return;
    for (const statement of migration.statements) execute(database, migration, statement);
    recordVersions(database, migration.version);
  });
  run.immediate();
}

function execute(database: Database, migration: Migration, statement: string): void {
  try {
    database.exec(statement);
  } catch (cause) {
    throw new AgentError(`migration ${migration.file} failed: ${messageOf(cause)} in: ${statement.slice(0, 200)}`, {
      code: 'MIGRATION_FAILED',
      hint: 'the database was left at its previous version; keep a copy of it and report this message',
      cause,
    });
  }
}

/** Also records the versions below, for a first-milestone database that never had a record. */
function recordVersions(database: Database, version: number): void {
  database.exec(
    'CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)',
  );
  const record = database.prepare('INSERT OR IGNORE INTO schema_version (version, applied_at) VALUES (?, ?)');
  for (let each = 1; each <= version; each++) record.run(each, Date.now());
}

function readMigrations(): Migration[] {
  return readdirSync(migrationsFolder)
    .filter((file) => /^\d{4}-.*\.sql$/.test(file))
    .sort()
    .map((file) => ({
      version: Number(file.slice(0, 4)),
      file,
      // A statement ends with the semicolon that ends its line; that is how the files are written.
      statements: readFileSync(join(migrationsFolder, file), 'utf8')
        .split(/;[ \t]*\n/)
        .map((statement) => statement.trim())
        .filter((statement) => statement !== ''),
    }));
}

/** The functions that migrations call; deterministic, so that they may stand in GROUP BY. */
function registerFunctions(database: Database): void {
  const deterministic = { deterministic: true };
  database.function('canonical_tags', deterministic, (tags) => canonicalTags(parseTags(tags)));
  database.function('series_key', deterministic, (name, device, canonical, valueType) =>
    seriesKey(String(name), String(device), String(canonical), Number(valueType)),
  );
  database.function('dedup_key', deterministic, (name, timestampMs, device, tags, valueType) =>
    dedupKey({
      name: String(name),
      timestampMs: Number(timestampMs),
      deviceId: String(device ?? ''),
      tags: parseTags(tags),
      valueType: Number(valueType) as ValueType,
    }),
  );
}

/** Tags as they were stored before version 3; what is no object of labels is kept whole as one label. */
function parseTags(stored: unknown): Labels {
  if (typeof stored !== 'string' || stored === '') return {};
  try {
    const parsed: unknown = JSON.parse(stored);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, labelOf(value)]));
    }
  } catch {
    // Kept below: a row with a broken tag is still a row.
  }
  return { tags: stored };
}

/** A label's value as text; JSON keeps two objects apart, which as strings would both be "[object Object]". */
function labelOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
