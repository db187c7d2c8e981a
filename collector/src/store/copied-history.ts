import type { Database } from '@thugshells/shared/database/open.ts';

import type { DamagedDatabase } from './damaged-database.ts';
import { lossesIn, salvagesIn, seriesIn, type OldBooks } from './damaged-tables.ts';
import type { Ledger } from './ledger.ts';

/** What a database that takes over another one's rows copies of it besides them; each in the caller's transaction. */

/** Series that the database does not have yet, by their keys; they get ids of their own. */
export function copySeries(source: DamagedDatabase, database: Database): void {
  const insert = database.prepare(
    'INSERT OR IGNORE INTO series (key, name, tags, device_id, value_type, priority) VALUES (@key, @name, @tags, @deviceId, @valueType, @priority)',
  );
  for (const series of seriesIn(source)) insert.run(series);
}

/** Sessions name their rows by ids that are lost with them; the sessions themselves are history. */
export function copySessions(source: DamagedDatabase, database: Database): void {
  const insert = database.prepare(
    `INSERT OR IGNORE INTO sessions (id, start_time, end_time, status, metadata, first_sample_id)
     VALUES (@id, @start_time, @end_time, @status, @metadata, NULL)`,
  );
  for (const session of source.query('SELECT id, start_time, end_time, status, metadata FROM sessions') ?? []) insert.run(session);
}

/** The ledger as it was, and what its counts do not explain; returns their sum. */
export function copyLosses(source: DamagedDatabase, ledger: Ledger, books: OldBooks): number {
  const losses = lossesIn(source);
  for (const loss of losses) ledger.add(loss, loss.at);
  const sum = losses.reduce((total, { count }) => total + count, 0);
  const unexplained = books.dropped - sum;
  if (unexplained > 0) ledger.add({ reason: 'corruption', count: unexplained, firstMs: null, lastMs: null }, books.heartbeatMs);
  return Math.max(sum, books.dropped);
}

/** What the source was copying itself: the database goes on with it where the source left off. */
export function copySalvages(source: DamagedDatabase, database: Database): void {
  const insert = database.prepare(
    `INSERT INTO salvage (file, step, position, skipped, lost, recovered)
     SELECT @file, @step, @position, @skipped, @lost, @recovered WHERE NOT EXISTS (SELECT 1 FROM salvage WHERE file = @file)`,
  );
  for (const salvage of salvagesIn(source)) insert.run(salvage);
}
