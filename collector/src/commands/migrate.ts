import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import type { Notify } from '@thugshells/shared/process/systemd.ts';

export interface MigrateOptions {
  readonly dbPath: string;
  readonly logger: Logger;
  /** Extends systemd's start timeout while a migration takes its time. */
  readonly notify: Notify;
}

/**
 * Migrates the database to the schema of this program, and creates it if it is missing.
 *
 * @throws AgentError when another collector has the database open, and as prepareDatabase() does
 */
export function migrateCommand({ dbPath, logger, notify }: MigrateOptions): CommandResult {
  const lock = takeInstanceLock(dbPath, 'collector');
  prepareDatabase(dbPath, logger, notify).close();
  lock.release();
  return {};
}
