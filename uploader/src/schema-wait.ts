import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { refuseNewer } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import type { Logger } from '@thugshells/shared/logger.ts';

/** The sets and books fit; SQLite's default of 16 MB would keep rows that were only counted. */
const CACHE_KIB = 2048;
/** How often the database is looked at until the collector has made it. */
const LOOK_INTERVAL_MS = 500;

/**
 * Opens the database as soon as it has the schema that this program knows; the collector makes both.
 *
 * @param onLook hears of each look that found nothing yet
 * @returns undefined when `stop` comes first
 * @throws AgentError DATABASE_TOO_NEW for one that a later program has migrated
 */
export async function openWhenReady(
  path: string,
  { clock, logger, stop, onLook }: { readonly clock: Clock; readonly logger: Logger; readonly stop: AbortSignal; readonly onLook?: () => void },
): Promise<Database | undefined> {
  let told = false;
  while (!stop.aborted) {
    const { database, reason } = tryOpen(path);
    if (database !== undefined) return database;
    if (!told) logger.info('waiting for the collector to prepare the database', { path, reason });
    told = true;
    onLook?.();
    await clock.sleep(LOOK_INTERVAL_MS, stop);
  }
  return undefined;
}

/**
 * Opens the database for a command, which has nothing to wait for.
 *
 * @throws AgentError DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
 */
export function openNow(path: string): Database {
  const { database, reason } = tryOpen(path);
  if (database !== undefined) return database;
  throw new AgentError(`cannot use the database ${path}: ${reason}`, { code: 'DATABASE_NOT_READY', hint: 'the collector prepares it; look at THUGSHELLS_DB_PATH' });
}

function tryOpen(path: string): { readonly database?: Database; readonly reason?: string } {
  let database: Database;
  try {
    database = openDatabase(path, { cacheKiB: CACHE_KIB });
  } catch (error) {
    if (error instanceof AgentError && error.code !== 'SQLITE_TOO_OLD') return { reason: error.message };
    throw error;
  }
  const version = schemaVersion(database);
  if (version === SCHEMA_VERSION) return { database };
  try {
    refuseNewer(database);
  } finally {
    database.close();
  }
  return { reason: `schema version ${version}, not yet ${SCHEMA_VERSION}` };
}
