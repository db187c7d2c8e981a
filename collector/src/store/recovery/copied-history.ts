import type { Database } from '@thugshells/shared/database/open.ts';
import { isCount, isText } from '@thugshells/shared/state/stored-values.ts';

import type { CorruptDatabase } from './corrupt-database.ts';
import { readLosses, readSalvages } from './corrupt-tables.ts';
import { readAccount } from './source-account.ts';
import { readSeries } from './source-series.ts';
import type { SourceBooks } from './source-books.ts';
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

/**
 * Copies the ledger as it was, and adds what its counts do not explain; a ledger of more than was dropped is not believed.
 * Returns the sum.
 */
export function copyLosses(source: CorruptDatabase, ledger: Ledger, books: SourceBooks | undefined): number {
  const losses = readLosses(source);
  const sum = losses.reduce((total, { count }) => total + count, 0);
  const isPlausible = books === undefined || sum <= books.dropped;
  if (isPlausible) for (const loss of losses) ledger.add(loss, loss.at);
  if (books === undefined) return sum;
  const unexplained = books.dropped - (isPlausible ? sum : 0);
  if (unexplained > 0)
    ledger.add({ reason: 'corruption', count: unexplained, firstMs: null, lastMs: null }, books.heartbeatMs);
  return books.dropped;
}

/**
 * Adds the source's books to those of the database, without the pending samples: each of those is booked when it is
 * copied. Returns how many there are; undefined if the books cannot be read.
 */
export function addBooks(source: CorruptDatabase, database: Database, ledger: Ledger): number | undefined {
  const { books, pending, provisional } = readAccount(source);
  if (books === undefined) return undefined;
  const { rejected } = books;
  // What the receiver may not have written to its disk is pending again.
  const delivered = Math.max(0, books.delivered - provisional);
  const dropped = copyLosses(source, ledger, books);
  database
    .prepare('UPDATE uploader_state SET delivered = delivered + ?, rejected = rejected + ?')
    .run(delivered, rejected);
  database.prepare('UPDATE collector_state SET collected = collected + ?').run(delivered + rejected + dropped);
  return pending;
}

/** Adds the boots that the source has counted; the one that both have counted is one. */
export function addBoots(source: CorruptDatabase, database: Database): void {
  const [row] = source.query('SELECT boot_id AS bootId, counted, unclean, last_clean AS lastClean FROM boots') ?? [];
  const { bootId = null, counted, unclean, lastClean = null } = row ?? {};
  if (!isCount(counted) || !isCount(unclean) || unclean > counted) return;
  database
    .prepare(
      `UPDATE boots SET counted = counted + @counted - (counted > 0 AND boot_id IS @bootId), unclean = unclean + @unclean,
         last_clean = IFNULL(last_clean, @lastClean), boot_id = IFNULL(boot_id, @bootId)`,
    )
    .run({
      bootId: isText(bootId) ? bootId : null,
      counted,
      unclean,
      lastClean: lastClean === 0 || lastClean === 1 ? lastClean : null,
    });
}

/** Copies the last warnings and errors: the one before the corruption may have its cause. Who reads them checks them. */
export function copyJournal(source: CorruptDatabase, database: Database): void {
  const insert = database.prepare(
    `INSERT OR IGNORE INTO journal (id, since, at, level, message, fields, times)
     VALUES (@id, @since, @at, @level, @message, @fields, @times)`,
  );
  for (const row of source.query('SELECT id, since, at, level, message, fields, times FROM journal') ?? [])
    insert.run(row);
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
    insert.run({ ...salvage, skipped: shiftStoredSkipped(skipped, step === 'books' ? 0 : shiftMs) });
  }
}
