import type { Database } from '@thugshells/shared/database/open.ts';

import type { CorruptDatabase } from './corrupt-database.ts';
import { readBooks, readLosses, readSalvages, readSeries, type SourceBooks } from './corrupt-tables.ts';
import type { Ledger } from '../space/ledger.ts';
import { shiftStoredSkipped } from './salvage-progress.ts';

/** Copies what a database holds besides samples; each function in the caller's transaction. */

/** Copies the series that the database does not have yet, by their keys; they get new ids. */
export function copySeries(source: CorruptDatabase, database: Database): void {
  const insert = database.prepare(
    'INSERT OR IGNORE INTO series (key, name, tags, device_id, value_type, priority) VALUES (@key, @name, @tags, @deviceId, @valueType, @priority)',
  );
  for (const series of readSeries(source)) insert.run(series);
}

/** Copies the sessions without the ids of their first samples, which change. */
export function copySessions(source: CorruptDatabase, database: Database): void {
  const insert = database.prepare(
    `INSERT OR IGNORE INTO sessions (id, start_time, end_time, status, metadata, first_sample_id)
     VALUES (@id, @start_time, @end_time, @status, @metadata, NULL)`,
  );
  for (const session of source.query('SELECT id, start_time, end_time, status, metadata FROM sessions') ?? [])
    insert.run(session);
}

/** Copies the ledger, adds an entry for dropped samples that it does not explain, and returns the sum of all. */
export function copyLosses(source: CorruptDatabase, ledger: Ledger, books: SourceBooks): number {
  const losses = readLosses(source);
  for (const loss of losses) ledger.add(loss, loss.at);
  const sum = losses.reduce((total, { count }) => total + count, 0);
  const unexplained = books.dropped - sum;
  if (unexplained > 0)
    ledger.add({ reason: 'corruption', count: unexplained, firstMs: null, lastMs: null }, books.heartbeatMs);
  return Math.max(sum, books.dropped);
}

/**
 * Adds the source's books to those of the database, without the pending samples: each of those is booked when it is
 * copied. Returns how many there are; undefined if the books cannot be read.
 */
export function addBooks(source: CorruptDatabase, database: Database, ledger: Ledger): number | undefined {
  const books = readBooks(source);
  if (books === undefined) return undefined;
  const { collected, rejected } = books;
  // Samples that the receiver may not have written to its disk are pending again.
  const delivered = Math.max(0, books.delivered - provisionalRows(source));
  const dropped = copyLosses(source, ledger, books);
  database
    .prepare('UPDATE uploader_state SET delivered = delivered + ?, rejected = rejected + ?')
    .run(delivered, rejected);
  database.prepare('UPDATE collector_state SET collected = collected + ?').run(delivered + rejected + dropped);
  return Math.max(0, collected - delivered - rejected - dropped);
}

function provisionalRows(source: CorruptDatabase): number {
  const rows = source.query(
    `SELECT COUNT(DISTINCT id) AS count
     FROM (SELECT value ->> 0 AS first, value ->> 1 AS last FROM provisional, json_each(provisional.ranges)) CROSS JOIN samples ON id BETWEEN first AND last`,
  );
  return (rows?.[0]?.['count'] as number | undefined) ?? 0;
}

/** Copies when boots began by the receiver's clock: held samples are corrected by it. */
export function copyReceiverClocks(source: CorruptDatabase, database: Database): void {
  const insert = database.prepare(
    `INSERT OR IGNORE INTO receiver_clock (boot_id, booted_at_ms, policy, measured_at) VALUES (@boot_id, @booted_at_ms, @policy, @measured_at)`,
  );
  for (const clock of source.query('SELECT boot_id, booted_at_ms, policy, measured_at FROM receiver_clock') ?? [])
    insert.run(clock);
}

/**
 * Copies the source's own unfinished salvages: the database goes on with them.
 *
 * @param shiftMs is added to the source's stored times. What it was copying lies before its own samples, and
 *   stays before them if it is shifted as far as they are
 */
export function copySalvages(source: CorruptDatabase, database: Database, shiftMs: number): void {
  const insert = database.prepare(
    `INSERT INTO salvage (file, step, position, skipped, lost, recovered)
     SELECT @file, @step, @position, @skipped, @lost, @recovered WHERE NOT EXISTS (SELECT 1 FROM salvage WHERE file = @file)`,
  );
  for (const salvage of readSalvages(source)) {
    const { step, skipped } = salvage;
    insert.run({ ...salvage, skipped: step === 'books' ? skipped : shiftStoredSkipped(skipped, shiftMs) });
  }
}
