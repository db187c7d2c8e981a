import { AgentError, toErrorMessage } from '../errors.ts';
import { readMigrations, type Migration, type MigrationStatement } from './migration-files.ts';
import { registerFunctions } from './migration-functions.ts';
import type { Database } from './open.ts';
import { SCHEMA_VERSION, schemaVersion } from './schema-version.ts';
import { sliceTable } from './table-slices.ts';

/** What a run of migrate() did. */
export interface MigrationResult {
  readonly from: number;
  readonly to: number;
}

/** Is told how a migration goes; migrations of millions of rows take minutes. */
export interface MigrationObserver {
  /** Before work that may take up to `ms` and tells nothing meanwhile. */
  expect(ms: number): void;
  /** @param share of the work of all migrations that are to be made, 0 to 1 */
  reach(share: number, migration: string): void;
}

/** How long a migration waits for another program that writes: the other one may be migrating. */
const LOCK_WAIT_MS = 600_000;
/** What a slice, or any statement over few rows, may take on a card that stalls. */
const MAX_SLICE_MS = 60_000;
/** No statement moves more than the database's bytes, and even poor cards move a megabyte a second. */
const SLOWEST_BYTES_PER_MS = 1_000;

const noObserver: MigrationObserver = { expect: () => undefined, reach: () => undefined };

/**
 * Brings a database to the version that this program knows, each migration in one transaction with its record.
 * Running it again changes nothing; two collectors that start at once wait for each other.
 *
 * @throws AgentError DATABASE_TOO_NEW for a database of a later program, MIGRATION_FAILED naming the statement
 */
export function migrate(database: Database, watch = noObserver): MigrationResult {
  refuseNewer(database);
  registerFunctions(database);
  const from = schemaVersion(database);
  const pending = readMigrations().filter(({ version }) => version > from);
  const run = new MigrationRun(database, watch, pending);
  for (const migration of pending) {
    withLongBusyTimeout(database, () => run.apply(migration));
    // What is in the database need not stand in the WAL too while the next one runs. PASSIVE waits for nobody.
    watch.expect(estimateDurationMs(database));
    database.pragma('wal_checkpoint(PASSIVE)');
  }
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
    `cannot use the database: it has schema version ${version}, this program knows versions up to ${SCHEMA_VERSION}`,
    {
      code: 'DATABASE_TOO_NEW',
      hint: `install a version that knows schema ${version}, or start the collector: it sets this database aside and creates a new one; nothing was changed`,
    },
  );
}

/** The longest that one pass over a database may take, in milliseconds. */
export function estimateDurationMs(database: Database): number {
  const pages = database.pragma('page_count', { simple: true }) as number;
  const pageBytes = database.pragma('page_size', { simple: true }) as number;
  return Math.ceil(MAX_SLICE_MS + (pages * pageBytes) / SLOWEST_BYTES_PER_MS);
}

/** The migrations that one call makes, and how far it has come. */
class MigrationRun {
  readonly #database: Database;
  readonly #watch: MigrationObserver;
  readonly #total: number;
  #done = 0;

  constructor(database: Database, watch: MigrationObserver, migrations: readonly Migration[]) {
    this.#database = database;
    this.#watch = watch;
    this.#total = migrations.flatMap(({ statements }) => statements).reduce((sum, { weight }) => sum + weight, 0);
  }

  apply(migration: Migration): void {
    const database = this.#database;
    const run = database.transaction(() => {
      // Asked again inside the write lock: another collector may have been quicker.
      if (schemaVersion(database) >= migration.version) return;
      for (const statement of migration.statements) this.#execute(migration, statement);
      recordVersions(database, migration.version);
    });
    this.#watch.expect(LOCK_WAIT_MS + MAX_SLICE_MS);
    run.immediate();
  }

  #execute({ file }: Migration, { sql, sliced, weight }: MigrationStatement): void {
    let place = '';
    try {
      if (sliced === undefined) {
        this.#watch.expect(estimateDurationMs(this.#database));
        this.#database.exec(sql);
      } else {
        for (const { first, last, share, run } of sliceTable(this.#database, sql, sliced)) {
          place = ` (ids ${first} to ${last})`;
          this.#watch.expect(MAX_SLICE_MS);
          run();
          this.#reach(share * weight, file);
        }
      }
    } catch (cause) {
      throw toMigrationError(
        `cannot apply migration ${file}: ${toErrorMessage(cause)} in${place}: ${sql.slice(0, 200)}`,
        cause,
      );
    }
    this.#done += weight;
    this.#reach(0, file);
  }

  #reach(more: number, file: string): void {
    if (this.#total > 0) this.#watch.reach((this.#done + more) / this.#total, file);
  }
}

function toMigrationError(message: string, cause: unknown): AgentError {
  return new AgentError(message, {
    code: 'MIGRATION_FAILED',
    hint: 'keep a copy of the database and report this message; its schema version is unchanged',
    cause,
  });
}

/** Also records the versions below, for a first-milestone database that never had a record. */
function recordVersions(database: Database, version: number): void {
  database.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)');
  const record = database.prepare('INSERT OR IGNORE INTO schema_version (version, applied_at) VALUES (?, ?)');
  for (let each = 1; each <= version; each++) record.run(each, Date.now());
}

function withLongBusyTimeout(database: Database, work: () => void): void {
  const before = database.pragma('busy_timeout', { simple: true }) as number;
  database.pragma(`busy_timeout = ${LOCK_WAIT_MS}`);
  try {
    work();
  } finally {
    database.pragma(`busy_timeout = ${before}`);
  }
}
