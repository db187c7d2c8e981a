import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { syncFolder } from '@thugshells/shared/database/rebuild.ts';
import { SCHEMA_VERSION, readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';
import { nameBeforeImport, listSetAsideFiles, importName } from '@thugshells/shared/database/set-aside-files.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import { MAX_SAMPLE_AGE_MS } from '@thugshells/shared/metrics/sample.ts';

import { addBooks, addBoots, copyReceiverClocks, copySalvages, copySeries, copySessions } from './copied-history.ts';
import { readBooks } from './source-account.ts';
import { corruptDatabasePath } from './kept-databases.ts';
import { findCorruption } from './integrity.ts';
import { finishInterruptedMove, moveDatabase, removeDatabase } from './move-database.ts';
import { Salvage, sourcePath, type SalvageOptions } from './salvage.ts';
import { SalvageTable, type SalvageProgress } from './salvage-progress.ts';
import { classifyStorageError } from './storage-errors.ts';

/** A slow scrape that began before this process opened an empty database may be stored this much earlier … */
const SLOWEST_SCRAPE_MS = 3_600_000;
/** … and samples with times of their own earlier still. */
const EARLIEST_MS = SLOWEST_SCRAPE_MS + MAX_SAMPLE_AGE_MS;

/**
 * Queues the import of each set-aside file whose schema this program knows. From then on the file has the suffix
 * `.taking-over`, which ties it to this database: no other one imports it again, also if this one is set aside halfway.
 */
export function queueSetAsideImports(
  database: Database,
  { dbPath, logger }: { readonly dbPath: string; readonly logger: Logger },
): void {
  const folder = dirname(dbPath);
  for (const { file, schemaVersion, isBeingImported } of listSetAsideFiles(dbPath)) {
    // The version stands in the name: to read it from the file would leave -wal and -shm behind.
    if (isBeingImported || schemaVersion > SCHEMA_VERSION) continue;
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
 * Imports a database that was set aside: a salvage of a file that is usually sound. Its books are added to those of the
 * database first, and its pending samples are booked as they are copied, so that the books balance at every commit. Then
 * the file is removed; a corrupt one is kept beside the database.
 */
export class SetAsideImport extends Salvage {
  /** What the check before the copying found. */
  readonly #corruption: string | undefined;
  #isCorrupt: boolean | undefined;

  /** @throws AgentError if the file cannot be migrated to this program's schema */
  constructor(database: Database, progress: SalvageProgress, options: SalvageOptions) {
    const corruption = prepareSource(progress, options);
    super(database, progress, options);
    this.#corruption = corruption;
  }

  override step(): boolean {
    if (this.progress.step !== 'books' || !this.source.exists) return super.step();
    this.save(() => this.#copyBooks());
    return true;
  }

  protected override get areGapsSkipped(): boolean {
    return this.#corruption !== undefined;
  }

  protected override book(stored: number, missed: number): void {
    const { areBooksKnown } = this.progress;
    this.collect(areBooksKnown ? missed : stored);
    // More than are pending by the books: they had been delivered, and it is not known which ones.
    if (areBooksKnown && stored > missed) this.recount(stored - missed);
  }

  protected override finish(): void {
    const { clock, ledger, logger, databasePath } = this.options;
    const { file, recovered, lost } = this.progress;
    const path = sourcePath(databasePath, this.progress);
    const { collected, delivered, rejected, dropped } = readBooks(this.source) ?? {};
    this.#isCorrupt ??=
      this.source.exists && (this.#corruption !== undefined || this.progress.skipped.length > 0 || !this.source.isOpen);
    this.close();
    const kept = this.#isCorrupt ? corruptDatabasePath(databasePath, clock.now()) : undefined;
    if (existsSync(path)) this.#removeOrKeep(path, kept);
    this.database
      .transaction(() => {
        if (lost > 0) {
          this.collect(lost);
          ledger.add({ reason: this.lossReason, count: lost, firstMs: null, lastMs: null }, clock.now());
        }
        this.table.remove(this.progress);
      })
      .immediate();
    const fields = { path: kept ?? file, count: recovered, collected, delivered, rejected, dropped, lost };
    if (kept === undefined) logger.info('set-aside database imported, file removed', fields);
    else logger.warn('corrupt set-aside database salvaged', { ...fields, error: this.#corruption });
  }

  /** Syncs everything that was copied to the disk before the only other copy of it is removed. */
  #removeOrKeep(path: string, kept: string | undefined): void {
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
    addBoots(source, database);
    copyReceiverClocks(source, database);
    copySalvages(source, database, shiftMs);
    const pending = addBooks(source, database, this.options.ledger);
    return {
      ...progress,
      step: 'pending',
      shiftMs,
      areBooksKnown: pending !== undefined,
      lost: pending ?? 0,
      isEstimate: readBooks(source)?.isEstimate ?? true,
    };
  }

  /**
   * Returns what is added to the source's stored times. They overlap with those of the database if the clock was set back
   * in between, and a series has at most one sample at a time. Then the source's samples are moved to before the first one
   * of the database; the offsets of their epochs make up for it, so that corrected times stay.
   */
  #shiftMs(): number {
    const newest = this.source.query('SELECT MAX(timestamp_ms) AS newest FROM samples')?.[0]?.['newest'] as
      number | null | undefined;
    const oldest = this.database.prepare<[], number | null>('SELECT MIN(timestamp_ms) FROM samples').pluck().get();
    const beforeMs = oldest ?? this.options.epochs.firstStoredMs - EARLIEST_MS;
    return typeof newest !== 'number' || newest < beforeMs ? 0 : beforeMs - 1 - newest;
  }
}

/** Gives the file its name and this program's schema; returns what is corrupt. */
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
    const corruption = findCorruption(path);
    if (corruption !== undefined) return corruption;
    if (readFileSchemaVersion(path) !== SCHEMA_VERSION) prepareDatabase(path, logger, notify).close();
    return undefined;
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
    return toErrorMessage(error);
  }
}
