import type { Database } from '@thugshells/shared/database/open.ts';

import { openNow } from '../queue/open-when-ready.ts';

/**
 * Opens the database, runs `use` and closes it.
 *
 * @throws AgentError DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
 */
export function withDatabase<T>(path: string, use: (database: Database) => T): T {
  const database = openNow(path);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** The same for work that waits. */
export async function whileDatabaseOpen<T>(path: string, use: (database: Database) => Promise<T>): Promise<T> {
  const database = openNow(path);
  try {
    return await use(database);
  } finally {
    database.close();
  }
}
