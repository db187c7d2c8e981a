import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, isEnvironmentError, toErrorMessage } from '@thugshells/shared/errors.ts';
import { requireSupportedSchema } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, waitLongForLocks, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

/** How often the database is tried until the collector has created it. */
const ATTEMPT_INTERVAL_MS = 500;

/** No collector changes these. */
const FINAL_CODES: readonly string[] = ['SQLITE_TOO_OLD', 'FILE_SYSTEM_UNSUPPORTED'];

/** The database, or the reason why it cannot be opened yet. */
type OpenAttempt =
  | { readonly database: Database }
  | { readonly database?: undefined; readonly reason: string; readonly tooNew?: AgentError };

/**
 * Opens the database as soon as it has the schema of this program, which only the collector creates and migrates. If a
 * newer program has migrated it, the collector sets it aside and creates a new one: that is waited for too.
 *
 * @param onAttempt called with the reason after each attempt that failed
 * @returns undefined if `stop` is aborted first
 */
export async function openWhenReady(
  path: string,
  {
    clock,
    logger,
    stop,
    onAttempt,
    findObstacle = () => undefined,
  }: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly stop: AbortSignal;
    readonly onAttempt?: (reason: string) => void;
    /** Returns why the files must not even be opened yet. */
    readonly findObstacle?: (path: string) => string | undefined;
  },
): Promise<Database | undefined> {
  let logged: string | undefined;
  for await (const _ of ticks(clock, { intervalMs: ATTEMPT_INTERVAL_MS, stop })) {
    const obstacle = findObstacle(path);
    const attempt: OpenAttempt = obstacle === undefined ? tryOpen(path) : { reason: obstacle };
    if (attempt.database !== undefined) return attempt.database;
    const { reason, tooNew } = attempt;
    if (reason !== logged && tooNew !== undefined)
      logger.warn('database too new, waiting for collector', { path, reason, hint: tooNew.hint });
    else if (reason !== logged) logger.info('waiting for collector to prepare database', { path, reason });
    logged = reason;
    onAttempt?.(reason);
  }
  return undefined;
}

/**
 * Opens the database for a command, which does not wait for the collector.
 *
 * @throws AgentError DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
 */
export function openNow(path: string): Database {
  const attempt = tryOpen(path);
  if (attempt.database !== undefined) {
    waitLongForLocks(attempt.database);
    return attempt.database;
  }
  if (attempt.tooNew !== undefined) throw attempt.tooNew;
  throw new AgentError(`cannot open the database ${path}: ${attempt.reason}`, {
    code: 'DATABASE_NOT_READY',
    hint: 'start the collector, which prepares the database, or check THUGSHELLS_DB_PATH',
  });
}

function tryOpen(path: string): OpenAttempt {
  let database: Database;
  try {
    database = openDatabase(path);
  } catch (error) {
    if (error instanceof AgentError && !FINAL_CODES.includes(error.code)) return { reason: error.message };
    throw error;
  }
  const attempt = checkSchema(database);
  if (attempt.database === undefined) database.close();
  return attempt;
}

function checkSchema(database: Database): OpenAttempt {
  try {
    const version = schemaVersion(database);
    if (version === SCHEMA_VERSION) return { database };
    requireSupportedSchema(database);
    return { reason: `schema version ${version}, this program needs ${SCHEMA_VERSION}` };
  } catch (error) {
    if (error instanceof AgentError) return { reason: error.message, tooNew: error };
    // A disk that fails, or corruption, which the collector repairs.
    if (isEnvironmentError(error)) return { reason: toErrorMessage(error) };
    throw error;
  }
}
