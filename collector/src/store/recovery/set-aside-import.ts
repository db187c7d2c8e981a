import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { syncFolder } from '@thugshells/shared/database/rebuild.ts';
import { SCHEMA_VERSION, readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';
import { nameBeforeImport, listSetAsideFiles, importName } from '@thugshells/shared/database/set-aside-files.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import { addBooks, copyReceiverClocks, copySalvages, copySeries, copySessions } from './copied-history.ts';
import { readBooks } from './corrupt-tables.ts';
import { corruptDatabasePath } from './replace-database.ts';
import { findCorruption } from './integrity.ts';
import { finishInterruptedMove, moveDatabase, removeDatabase } from './move-database.ts';
import { Salvage, sourcePath, type SalvageOptions } from './salvage.ts';
import { SalvageTable, type SalvageProgress } from './salvage-progress.ts';
import { classifyStorageError } from './storage-errors.ts';

/** A scrape that began before this process opened an empty database may be stored under a time this much earlier. */
const SLOWEST_SCRAPE_MS = 3_600_000;

/**
 * Notes in a database which set-aside files it takes over: those whose schema this program knows. From then on the file
 * bears another name: no other database begins anew with it, also if this one is set aside halfway.
 */
export function queueSetAsideImports(
  database: Database,
  { dbPath, logger }: { readonly dbPath: string; readonly logger: Logger },
): void {
  const folder = dirname(dbPath);
  for (const { file, schemaVersion, isBeingTakenOver } of listSetAsideFiles(dbPath)) {
    // Not asked of the file: a connection that only reads leaves -wal and -shm behind.
    if (isBeingTakenOver || schemaVersion > SCHEMA_VERSION) continue;
    const path = join(folder, file);
    try {
      new SalvageTable(database).add(importName(file));
      moveDatabase(path, join(folder, importName(file)));
      syncFolder(folder);
    } catch (error) {
      logger.error('cannot import set-aside database', { path, ...toErrorFields(error) });
    }
  }
}

/**
 * Takes over a database that was set aside: a salvage of a file that is sound. Its books are added to those of the
 * database first, its pending rows are booked as they are copied, so that the books balance at every commit. When all of
 * it is in, the file is removed; one that turned out to be damaged is kept as damaged ones are.
 */
export class SetAsideImport extends Salvage {
  /** What was found wrong with the file before anything was copied. */
  readonly #fault: string | undefined;
  #isDamaged: boolean | undefined;

  /** @throws AgentError where the file cannot be brought to this program's schema */
  constructor(database: Database, progress: SalvageProgress, options: SalvageOptions) {
    const fault = prepareSource(progress, options);
    super(database, progress, options);
    this.#fault = fault;
  }

  override step(): boolean {
    if (this.progress.step !== 'books' || !this.source.exists) return super.step();
    this.save(() => this.#copyBooks());
    return true;
  }

  protected override book(stored: number, missed: number): void {
    const { areBooksKnown } = this.progress;
    this.collect(areBooksKnown ? missed : stored);
    // More than are pending by the books: they had been delivered, and nobody can tell which.
    if (areBooksKnown && stored > missed) this.recount(stored - missed);
  }

  protected override finish(): void {
    const { clock, ledger, logger, databasePath } = this.options;
    const { file, recovered, lost } = this.progress;
    const path = sourcePath(databasePath, this.progress);
    const { collected, delivered, rejected, dropped } = readBooks(this.source) ?? {};
    this.#isDamaged ??=
      this.source.exists && (this.#fault !== undefined || this.progress.skipped.length > 0 || !this.source.isOpen);
    this.close();
    const kept = this.#isDamaged ? corruptDatabasePath(databasePath, clock.now()) : undefined;
    if (existsSync(path)) this.#putAway(path, kept);
    this.database
      .transaction(() => {
        if (lost > 0) {
          this.collect(lost);
          ledger.add({ reason: 'corruption', count: lost, firstMs: null, lastMs: null }, clock.now());
        }
        this.table.remove(this.progress);
      })
      .immediate();
    const fields = { path: kept ?? file, count: recovered, collected, delivered, rejected, dropped, lost };
    if (kept === undefined) logger.info('set-aside database imported, file removed', fields);
    else logger.warn('corrupt set-aside database salvaged', { ...fields, error: this.#fault });
  }

  /** Everything is on the disk before the only other copy of it goes. */
  #putAway(path: string, kept: string | undefined): void {
    this.progress = { ...this.progress, step: 'done' };
    this.table.saveDurably(this.progress);
    if (kept === undefined) removeDatabase(path);
    else moveDatabase(path, kept);
    syncFolder(dirname(path));
  }

  #copyBooks(): SalvageProgress {
    const { database, source, progress } = this;
    const shiftMs = this.#shiftMs();
    copySeries(source, database);
    copySessions(source, database);
    copyReceiverClocks(source, database);
    copySalvages(source, database, shiftMs);
    const pending = addBooks(source, database, this.options.ledger);
    return { ...progress, step: 'pending', shiftMs, areBooksKnown: pending !== undefined, lost: pending ?? 0 };
  }

  /**
   * Stored times of the two databases overlap where the clock was set back in between, and a series has one sample at a
   * time. Then those of the source are moved to before the first one of the database; the offsets of their epochs make up
   * for it, so that true times stay.
   */
  #shiftMs(): number {
    const newest = this.source.query('SELECT MAX(timestamp_ms) AS newest FROM samples')?.[0]?.['newest'] as
      number | null | undefined;
    const oldest = this.database.prepare<[], number | null>('SELECT MIN(timestamp_ms) FROM samples').pluck().get();
    const beforeMs = oldest ?? this.options.epochs.firstStoredMs - SLOWEST_SCRAPE_MS;
    return typeof newest !== 'number' || newest < beforeMs ? 0 : beforeMs - 1 - newest;
  }
}

/** Gives the file its name and this program's schema; returns what is wrong with it. */
function prepareSource(
  progress: SalvageProgress,
  { databasePath, logger, notify }: SalvageOptions,
): string | undefined {
  const path = sourcePath(databasePath, progress);
  const nameBefore = nameBeforeImport(path)!;
  if (progress.step === 'books' && !existsSync(path)) moveDatabase(nameBefore, path);
  else finishInterruptedMove(nameBefore, path);
  if (progress.step === 'done' || !existsSync(path)) return undefined;
  try {
    const fault = findCorruption(path);
    if (fault !== undefined) return fault;
    if (readFileSchemaVersion(path) !== SCHEMA_VERSION) prepareDatabase(path, logger, notify).close();
    return undefined;
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
    return toErrorMessage(error);
  }
}
