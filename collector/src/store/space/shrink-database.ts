import type { Database } from '@thugshells/shared/database/open.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import type { WalCheckpointer } from './wal-checkpointer.ts';
import type { Eviction } from './eviction.ts';

/**
 * Shrinks a database that exceeds its maximum, and sets `max_page_count`, with which SQLite enforces it. Only a lower
 * DB_MAX_SIZE makes that necessary; it takes as long as rewriting the rows that stay.
 */
export function shrinkDatabase(
  database: Database,
  databaseBytes: number,
  { eviction, wal, logger }: { readonly eviction: Eviction; readonly wal: WalCheckpointer; readonly logger: Logger },
): void {
  const pragma = (name: string): number => database.pragma(name, { simple: true }) as number;
  const before = pragma('page_count') * pragma('page_size');
  if (before > databaseBytes) {
    logger.warn('database too large, evicting samples', {
      bytes: before,
      limit_bytes: databaseBytes,
    });
    try {
      while (eviction.isOverLimit && eviction.evict() !== undefined) wal.checkpointIfDue();
      database.exec('VACUUM');
      wal.checkpoint();
    } catch (error) {
      // The file keeps its size, and its free pages are used before it grows.
      logger.error('cannot shrink the database', toErrorFields(error));
    }
  }
  database.pragma(`max_page_count = ${Math.floor(databaseBytes / pragma('page_size'))}`);
}
