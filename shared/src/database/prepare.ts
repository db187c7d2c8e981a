import type { Logger } from '../logging/logger.ts';
import type { Notify } from '../process/systemd.ts';
import { estimateDurationMs, migrate, requireSupportedSchema } from './migrate.ts';
import { MigrationProgress } from './migration-progress.ts';
import { openDatabase, type Database } from './open.ts';
import { needsRebuild, rebuild, lockExclusively } from './rebuild.ts';

/**
 * Opens the collector's database: creates it if it is missing, migrates it, and rebuilds it with small pages.
 *
 * @param notify extends systemd's timeouts
 * @throws AgentError as openDatabase() and migrate() do
 */
export function prepareDatabase(path: string, logger: Logger, notify: Notify = () => undefined): Database {
  const database = openDatabase(path, { create: true });
  try {
    requireSupportedSchema(database);
    const hasLargePages = needsRebuild(database);
    // Locked before the migration: after it the uploader could open the file that is about to be replaced.
    const isAlone = hasLargePages && lockExclusively(database);
    const { from, to } = migrate(
      database,
      new MigrationProgress({ logger, notify, monotonic: () => performance.now() }),
    );
    if (from !== to) logger.info('database migrated', { from_version: from, to_version: to, path });
    if (isAlone) {
      notify({
        status: 'rebuilding the database with small pages',
        extendTimeoutMs: estimateDurationMs(database),
      });
      const rebuilt = rebuild(database, path);
      logger.info('database rebuilt with small pages', { path });
      return rebuilt;
    }
    if (hasLargePages) logger.warn('kept large pages: database in use', { path });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
