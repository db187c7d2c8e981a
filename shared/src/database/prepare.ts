import type { Logger } from '../logger.js';
import { migrate, refuseNewer } from './migrate.js';
import { openDatabase, type Database } from './open.js';
import { needsRebuild, rebuild } from './rebuild.js';

/**
 * Opens the collector's database: made where it is missing, migrated, and with small pages.
 *
 * @throws AgentError as openDatabase() and migrate() do
 */
export function prepareDatabase(path: string, logger: Logger): Database {
  const opened = openDatabase(path, { create: true });
  refuseNewer(opened);
  const { from, to } = migrate(opened);
  if (from !== to) logger.info('database migrated', { from_version: from, to_version: to, path });
  if (!needsRebuild(opened)) return opened;
  const { database, rebuilt } = rebuild(opened, path);
  if (rebuilt) logger.info('database copied into a file with small pages', { path });
  else logger.warn('the database keeps its large pages: another program has it open', { path });
  return database;
}
