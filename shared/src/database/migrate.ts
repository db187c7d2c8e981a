import { AgentError, toErrorMessage } from '../errors.ts';
import { readMigrations, type Migration, type MigrationStatement } from './migration-files.ts';
import { registerFunctions } from './migration-functions.ts';
import type { Database } from './open.ts';
import { SCHEMA_VERSION, schemaVersion } from './schema-version.ts';
import { sliceTable } from './table-slices.ts';

/** The schema versions before and after migrate(). */
export interface MigrationResult {
  readonly from: number;
  readonly to: number;
}

/** Receives the progress of a migration; one of millions of rows takes minutes. */
export interface MigrationObserver {
  /** Called before work that may take up to `ms` without progress. */
  expect(ms: number): void;
  /** @param share of all pending migrations that is done, 0 to 1 */
  reach(share: number, migration: string): void;
}

/** How long a migration waits for the write lock: another program may be migrating. */
const LOCK_TIMEOUT_MS = 600_000;
/** Maximum duration of a slice, or of any statement over few rows, on an SD card that stalls. */
const MAX_SLICE_MS = 60_000;
/** No statement moves more than the database's bytes, and even poor SD cards move a megabyte a second. */
const SLOWEST_BYTES_PER_MS = 1_000;

const noObserver: MigrationObserver = { expect: () => undefined, reach: () => undefined };

/** Applies the pending migrations and counts its progress. */
class MigrationRun {
  readonly #database: Database;
  readonly #observer: MigrationObserver;
  readonly #total: number;
  #done = 0;

  constructor(database: Database, observer: MigrationObserver, migrations: readonly Migration[]) {
    this.#database = database;
    this.#observer = observer;
    this.#total = migrations.flatMap(({ statements }) => statements).reduce((sum, { weight }) => sum + weight, 0);
  }

  apply(migration: Migration): void {
    const database = this.#database;
    const run = database.transaction(() => {
      // Checked again inside the write lock: another collector may have been faster.
      if (schemaVersion(database) >= migration.version) return;
      for (const statement of migration.statements) this.#execute(migration, statement);
      recordVersions(database, migration.version);
    });
    this.#observer.expect(LOCK_TIMEOUT_MS + MAX_SLICE_MS);
    run.immediate();
  }

  #execute({ file }: Migration, { sql, sliced, weight }: MigrationStatement): void {
    let position = '';
    try {
      if (sliced === undefined) {
        this.#observer.expect(estimateDurationMs(this.#database));
        this.#database.exec(sql);
      } else {
        for (const { first, last, share, run } of sliceTable(this.#database, sql, sliced)) {
          position = ` (ids ${first} to ${last})`;
          this.#observer.expect(MAX_SLICE_MS);
          run();
          this.#reach(share * weight, file);
        }
      }
    } catch (cause) {
      throw toMigrationError(
        `cannot apply migration ${file}: ${toErrorMessage(cause)} in${position}: ${sql.slice(0, 200)}`,
        cause,
      );
    }
    this.#done += weight;
    this.#reach(0, file);
  }

  #reach(more: number, file: string): void {
    if (this.#total > 0) this.#observer.reach((this.#done + more) / this.#total, file);
  }
}

/**
 * Migrates a database to the version that this program knows, each migration in one transaction with its record.
 * A second run changes nothing; of two collectors that start at once, one waits for the other.
 *
 * @throws AgentError DATABASE_TOO_NEW for a database of a later program, MIGRATION_FAILED naming the statement
 */
export function migrate(database: Database, observer = noObserver): MigrationResult {
  requireSupportedSchema(database);
  registerFunctions(database);
  const from = schemaVersion(database);
  const pending = readMigrations().filter(({ version }) => version > from);
  const run = new MigrationRun(database, observer, pending);
  for (const migration of pending) {
    withLongBusyTimeout(database, () => run.apply(migration));
    // So that the WAL does not hold two migrations. PASSIVE waits for no reader.
    observer.expect(estimateDurationMs(database));
    database.pragma('wal_checkpoint(PASSIVE)');
  }
  return { from, to: schemaVersion(database) };
}

/**
 * Refuses a database that a later program has migrated.
 *
 * @throws AgentError DATABASE_TOO_NEW, naming both versions
 */
export function requireSupportedSchema(database: Database): void {
  const version = schemaVersion(database);
  if (version <= SCHEMA_VERSION) return;
  throw new AgentError(
    `cannot use the database: it has schema version ${version}, this program knows versions up to ${SCHEMA_VERSION}`,
    {
      code: 'DATABASE_TOO_NEW',
      hint: `install a version that knows schema ${version}, or start the collector: it sets this database aside and creates a new one; nothing was changed`,
    },
  );
}

/** Returns the maximum duration of one pass over a database, in milliseconds. */
export function estimateDurationMs(database: Database): number {
  const pages = database.pragma('page_count', { simple: true }) as number;
  const pageBytes = database.pragma('page_size', { simple: true }) as number;
  return Math.ceil(MAX_SLICE_MS + (pages * pageBytes) / SLOWEST_BYTES_PER_MS);
}

function toMigrationError(message: string, cause: unknown): AgentError {
  return new AgentError(message, {
    code: 'MIGRATION_FAILED',
    hint: 'keep a copy of the database and report this message; its schema version is unchanged',
    cause,
  });
}

/** Records a version, and those below it: a database of the first milestone has no record. */
function recordVersions(database: Database, version: number): void {
  database.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)');
  const record = database.prepare('INSERT OR IGNORE INTO schema_version (version, applied_at) VALUES (?, ?)');
  for (let each = 1; each <= version; each++) record.run(each, Date.now());
}

function withLongBusyTimeout(database: Database, work: () => void): void {
  const before = database.pragma('busy_timeout', { simple: true }) as number;
  database.pragma(`busy_timeout = ${LOCK_TIMEOUT_MS}`);
  try {
    work();
  } finally {
    database.pragma(`busy_timeout = ${before}`);
  }
}
