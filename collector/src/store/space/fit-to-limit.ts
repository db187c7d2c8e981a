import type { Database } from '@thugshells/shared/database/open.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import type { WalCheckpointer } from './wal-checkpointer.ts';
import type { Retention } from './retention.ts';

/**
 * Makes a database that is larger than it may be any more as small as it has to be, and lets SQLite refuse to make it
 * larger. Only after DB_MAX_SIZE was lowered is there anything to do: then it takes as long as rewriting what stays.
 */
export function fitToLimit(
  database: Database,
  databaseBytes: number,
  { retention, wal, logger }: { readonly retention: Retention; readonly wal: WalCheckpointer; readonly logger: Logger },
): void {
  const pragma = (name: string): number => database.pragma(name, { simple: true }) as number;
  const before = pragma('page_count') * pragma('page_size');
  if (before > databaseBytes) {
    logger.warn('database too large, evicting samples', {
      bytes: before,
      limit_bytes: databaseBytes,
    });
    try {
      while (retention.isOverLimit && retention.evict() !== undefined) wal.checkpointIfDue();
      database.exec('VACUUM');
      wal.checkpoint();
    } catch (error) {
      // It is as large as it was, and fills its free pages before it grows.
      logger.error('cannot shrink the database', toErrorFields(error));
    }
  }
  database.pragma(`max_page_count = ${Math.floor(databaseBytes / pragma('page_size'))}`);
}
