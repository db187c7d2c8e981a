import { existsSync, renameSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { syncFolder } from '@thugshells/shared/database/rebuild.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { copyJournal, copyLosses, copySalvages, copySessions, addBoots } from './copied-history.ts';
import { CorruptDatabase } from './corrupt-database.ts';
import { readAccount, type SourceAccount } from './source-account.ts';
import { pendingOf } from './source-books.ts';
import { readSeries } from './source-series.ts';
import { findFileCorruption } from './integrity.ts';
import { Ledger } from '../space/ledger.ts';
import { corruptDatabasePath } from './kept-databases.ts';
import type { KnownAccount } from './known-account.ts';
import { removeDatabase } from './move-database.ts';
import { PageCensus } from './page-census.ts';
import { formatSkipped, type SalvageProgress } from './salvage-progress.ts';

export interface ReplacementOptions {
  readonly databasePath: string;
  readonly logger: Logger;
  readonly nowMs: number;
  /** What was known of it while it was open; undefined if it was not. */
  readonly known?: KnownAccount | undefined;
}

/** A new database under another name: the caller fills it as far as it likes and then installs it. */
export interface Replacement {
  readonly database: Database;
  /** Closes it, moves the corrupt one aside and renames this one into its place. */
  readonly install: () => void;
}

/** The files of a database in the order in which they are moved: no opener meets the WAL of another database. */
const SUFFIXES = ['-shm', '-wal', ''] as const;
/** Ids are never given twice: if the last one cannot be read, this many are skipped. */
const UNKNOWN_IDS = 10_000_000;

/** Returns the path of the new database until it is complete. */
function replacementPath(databasePath: string): string {
  return `${databasePath}.new`;
}

/** Creates the database that replaces a corrupt one, with its series, sessions and books; Salvage copies the samples. */
export function createReplacement({ databasePath, logger, nowMs, known }: ReplacementOptions): Replacement {
  const path = replacementPath(databasePath);
  const aside = corruptDatabasePath(databasePath, nowMs);
  removeDatabase(path);
  const database = prepareDatabase(path, logger);
  const isWalUnread = findFileCorruption(databasePath) !== undefined;
  const source = new CorruptDatabase(databasePath);
  try {
    database
      .transaction(() => copyAllButSamples(source, database, { file: basename(aside), nowMs, isWalUnread, known }))
      .immediate();
  } finally {
    source.close();
  }
  return {
    database,
    install: () => {
      database.pragma('wal_checkpoint(TRUNCATE)');
      database.close();
      installNew(databasePath, path, aside);
    },
  };
}

/** Finishes a replacement that a kill has interrupted: a complete new database is installed, an incomplete one removed. */
export function finishInterruptedReplacement(databasePath: string): void {
  const path = replacementPath(databasePath);
  if (!existsSync(path)) return;
  // The corrupt one is moved away only after the new one is complete.
  if (!existsSync(databasePath)) renameSync(path, databasePath);
  removeDatabase(path);
  syncFolder(dirname(databasePath));
}

function installNew(databasePath: string, newPath: string, aside: string): void {
  for (const suffix of SUFFIXES) {
    if (existsSync(databasePath + suffix)) renameSync(databasePath + suffix, aside + suffix);
  }
  renameSync(newPath, databasePath);
  syncFolder(dirname(databasePath));
}

interface CopyOptions extends Pick<ReplacementOptions, 'nowMs' | 'known'> {
  /** The name that the source will have. */
  readonly file: string;
  readonly isWalUnread: boolean;
}

function copyAllButSamples(
  source: CorruptDatabase,
  database: Database,
  { file, nowMs, isWalUnread, known }: CopyOptions,
): void {
  const insertSeries = database.prepare(
    'INSERT OR IGNORE INTO series (id, key, name, tags, device_id, value_type, priority) VALUES (@id, @key, @name, @tags, @deviceId, @valueType, @priority)',
  );
  for (const series of readSeries(source)) insertSeries.run(series);
  copySessions(source, database);
  addBoots(source, database);
  copyJournal(source, database);
  const { lost, ...details } = copyBooks(source, database, { nowMs, known });
  // What stands only in a WAL that SQLite does not read has ids beyond its last one.
  const skipped: IdRange[] = isWalUnread ? [[source.highestId(), Number.MAX_SAFE_INTEGER]] : [];
  database
    .prepare(`INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES (?, 'pending', 0, ?, ?, 0)`)
    .run(file, formatSkipped({ skipped, shiftMs: 0, doubtful: 0, ...details }), lost);
  copySalvages(source, database, 0);
}

/** What the salvage is to know of the books; `lost` is how many rows were pending, all booked as lost until they are found. */
type CopiedBooks = Pick<SalvageProgress, 'lost' | 'areBooksKnown' | 'isEstimate' | 'known'>;

function copyBooks(
  source: CorruptDatabase,
  database: Database,
  { nowMs, known }: Pick<CopyOptions, 'nowMs' | 'known'>,
): CopiedBooks {
  const { books, pending: lost, provisional, settled } = readBelievedAccount(source, known);
  const ledger = new Ledger(database);
  if (books === undefined) return estimateBooks(source, database, nowMs);
  const { lastId, heartbeatMs, rejected, isEstimate } = books;
  const dropped = copyLosses(source, ledger, books);
  const delivered = Math.max(0, books.delivered - provisional);
  const reason = isEstimate ? 'estimated' : 'corruption';
  if (lost > 0) ledger.add({ reason, count: lost, firstMs: null, lastMs: null }, nowMs);
  database.prepare('UPDATE uploader_state SET delivered = ?, rejected = ?').run(delivered, rejected);
  // Computed anew: if the books do not balance, it is not known which number is corrupt.
  database
    .prepare('UPDATE collector_state SET last_id = ?, collected = ?, heartbeat = ?')
    .run(lastId, delivered + rejected + dropped + lost, heartbeatMs);
  return { lost, areBooksKnown: true, isEstimate, known: settled && { lastId, settled } };
}

/** What the salvage goes by; `settled` only if it is not the source's own. */
interface BelievedAccount extends Pick<SourceAccount, 'books' | 'pending' | 'provisional'> {
  readonly settled?: readonly IdRange[];
}

/** The account of a source; if it is in doubt or older, the one that was known while it was open. */
function readBelievedAccount(source: CorruptDatabase, known: KnownAccount | undefined): BelievedAccount {
  const { books, pending, provisional, isSettledInDoubt } = readAccount(source);
  const isCertain = books !== undefined && !books.isEstimate && !isSettledInDoubt;
  if (known === undefined || (isCertain && books.lastId >= known.books.lastId)) return { books, pending, provisional };
  return {
    books: { ...known.books, isEstimate: false },
    pending: pendingOf(known.books),
    provisional: 0,
    settled: known.settled,
  };
}

/**
 * Begins the books anew where the collector's side cannot be read from either place: with what was lost at most, as far as
 * the pages show; found rows are added as they are copied.
 */
function estimateBooks(source: CorruptDatabase, database: Database, nowMs: number): CopiedBooks {
  const { pendingIds, uploaded, provisional } = readAccount(source);
  const ledger = new Ledger(database);
  const dropped = copyLosses(source, ledger, undefined);
  const { maxLostSamples } = new PageCensus(source).complete();
  // Without the header nobody knows how long the file was: each id that may be pending is lost until it is found.
  const areIdsCounted = maxLostSamples === Infinity;
  const lost = areIdsCounted ? pendingIds : maxLostSamples;
  if (lost > 0) ledger.add({ reason: 'estimated', count: lost, firstMs: null, lastMs: null }, nowMs);
  const rejected = uploaded?.rejected ?? 0;
  const delivered = Math.max(0, (uploaded?.delivered ?? 0) - provisional);
  database.prepare('UPDATE uploader_state SET delivered = ?, rejected = ?').run(delivered, rejected);
  database
    .prepare('UPDATE collector_state SET last_id = ?, collected = ?')
    .run(source.highestId() + UNKNOWN_IDS, delivered + rejected + dropped + lost);
  return { lost: areIdsCounted ? lost : 0, areBooksKnown: areIdsCounted, isEstimate: true };
}
