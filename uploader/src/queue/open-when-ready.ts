import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, messageOf } from '@thugshells/shared/errors.ts';
import { refuseNewer } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

/** The sets and books fit; SQLite's default of 16 MB would keep rows that were only counted. */
const CACHE_KIB = 2048;
/** How often the database is looked at until the collector has made it. */
const LOOK_INTERVAL_MS = 500;

/** The database, or why it cannot be opened yet. */
type Look =
  | { readonly database: Database }
  | { readonly database?: undefined; readonly reason: string; readonly tooNew?: AgentError };

/**
 * Opens the database as soon as it has the schema that this program knows. The collector makes both; one that a newer
 * program has migrated it sets aside, to begin a new one, so that is waited for too.
 *
 * @param onLook is called with the reason after each look that found nothing yet
 * @returns undefined when `stop` comes first
 */
export async function openWhenReady(
  path: string,
  {
    clock,
    logger,
    stop,
    onLook,
  }: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly stop: AbortSignal;
    readonly onLook?: (reason: string) => void;
  },
): Promise<Database | undefined> {
  let logged: string | undefined;
  for await (const _ of ticks(clock, { intervalMs: LOOK_INTERVAL_MS, stop })) {
    const look = tryOpen(path);
    if (look.database !== undefined) return look.database;
    const { reason, tooNew } = look;
    if (reason !== logged && tooNew !== undefined)
      logger.warn('newer database, waiting for the collector', { path, reason, hint: tooNew.hint });
    else if (reason !== logged) logger.info('waiting for the collector to prepare the database', { path, reason });
    logged = reason;
    onLook?.(reason);
  }
  return undefined;
}

/**
 * Opens the database for a command, which has nothing to wait for.
 *
 * @throws AgentError DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
 */
export function openNow(path: string): Database {
  const look = tryOpen(path);
  if (look.database !== undefined) return look.database;
  if (look.tooNew !== undefined) throw look.tooNew;
  throw new AgentError(`cannot use the database ${path}: ${look.reason}`, {
    code: 'DATABASE_NOT_READY',
    hint: 'the collector prepares it; look at THUGSHELLS_DB_PATH',
  });
}

function tryOpen(path: string): Look {
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
    return { reason: `schema version ${version}, this program needs ${SCHEMA_VERSION}` };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { reason: messageOf(error), tooNew: error };
  } finally {
    database.close();
  }
}
