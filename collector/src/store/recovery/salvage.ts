import { basename, dirname, join } from 'node:path';

import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { intersect, merge, subtract, toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import type { Notify } from '@thugshells/shared/process/systemd.ts';

import type { ClockEpochs } from '../clock/clock-epochs.ts';
import { CorruptDatabase } from './corrupt-database.ts';
import type { SourceSample } from './source-sample.ts';
import { readAccount, withKnown, type SourceAccount } from './source-account.ts';
import type { Ledger, LossReason } from '../space/ledger.ts';
import { boundLostSamples } from './lost-samples.ts';
import { PageReader } from './page-reader.ts';
import { SalvageTable, type SalvageProgress } from './salvage-progress.ts';
import { SampleCopier } from './sample-copier.ts';

/** The samples of one slice, and the progress after it. */
interface SalvageRead {
  readonly pending: readonly SourceSample[];
  readonly settled: readonly SourceSample[];
  readonly next: SalvageProgress;
}

export interface SalvageOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Extends systemd's timeouts: to migrate a source may take minutes. */
  readonly notify?: Notify;
  readonly epochs: ClockEpochs;
  readonly ledger: Ledger;
  readonly databasePath: string;
}

/** Rows in one slice: some milliseconds, so that no scrape waits for it. */
const SLICE_ROWS = 1_000;
/** Ranges of ids that could not be read are remembered one by one up to this many, then as one. */
const MAX_SKIPPED = 1_000;
const EVERY_ID: IdRange = [1, Number.MAX_SAFE_INTEGER];

/**
 * Copies the samples of a corrupt database into the one that replaced it, a slice at a time, while collection goes on.
 *
 * They get new ids, because what is recorded of the old ones (settled, in flight) may be corrupt too, and keep their times.
 * Pending samples were booked as dropped when the new database was created. Each one that is found is subtracted from the
 * drops in the transaction that stores it, so that the books are right after a kill.
 */
export class Salvage {
  protected readonly database: Database;
  protected readonly options: SalvageOptions;
  protected readonly source: CorruptDatabase;
  protected readonly table: SalvageTable;
  protected progress: SalvageProgress;
  readonly #account: SourceAccount;
  readonly #pages: PageReader;
  readonly #upToId: number;
  readonly #delivered: Statement<[], number>;
  readonly #undeliver: Statement<[number]>;
  readonly #collect: Statement<[number]>;
  #copier: SampleCopier | undefined;

  /** @param path of the source, if it is not the one in the progress */
  constructor(database: Database, progress: SalvageProgress, options: SalvageOptions & { readonly path?: string }) {
    this.database = database;
    this.options = options;
    this.progress = progress;
    this.table = new SalvageTable(database);
    this.source = new CorruptDatabase(options.path ?? sourcePath(options.databasePath, progress));
    this.#account = withKnown(readAccount(this.source), progress.known);
    this.#pages = new PageReader(this.source);
    this.#upToId = this.#account.books?.lastId ?? progress.known?.lastId ?? EVERY_ID[1];
    this.#delivered = database.prepare<[], number>('SELECT delivered FROM uploader_state').pluck();
    this.#undeliver = database.prepare('UPDATE uploader_state SET delivered = delivered - ?');
    this.#collect = database.prepare('UPDATE collector_state SET collected = collected + ?');
  }

  /** Copies one slice; returns false if there is nothing left to copy. */
  step(): boolean {
    const before = this.progress;
    if (before.step === 'done' || !this.source.exists) {
      this.finish();
      return false;
    }
    const read = this.#read(before);
    this.save(() => this.#store(before, read));
    return true;
  }

  close(): void {
    this.source.close();
  }

  /** The copying is over: forgets it, and logs what it came to. */
  protected finish(): void {
    const { clock, ledger, logger } = this.options;
    const { file, recovered, lost, doubtful } = this.progress;
    const estimated = this.source.exists ? this.#boundLost() - lost : 0;
    this.database
      .transaction(() => {
        if (estimated > 0) {
          ledger.add({ reason: 'estimated', count: estimated, firstMs: null, lastMs: null }, clock.now());
          this.recount(estimated);
        } else if (estimated < 0) {
          ledger.bookRecovered('estimated', -estimated);
          this.collect(estimated);
        }
        this.table.remove(this.progress);
      })
      .immediate();
    logger.warn('salvage finished', { path: file, count: recovered, lost: lost + estimated, doubtful });
    this.close();
  }

  /** Whether ids without a row are looked for on the pages. Of a sound database no row has them. */
  protected get areGapsSkipped(): boolean {
    return true;
  }

  /** As what a pending row that is not found is in the ledger. */
  protected get lossReason(): LossReason {
    return this.progress.isEstimate ? 'estimated' : 'corruption';
  }

  /** Books, in the transaction that stores them, pending rows that were found; `missed` of them had been missed. */
  protected book(stored: number, missed: number): void {
    if (!this.progress.areBooksKnown) {
      this.collect(stored);
      return;
    }
    if (missed > 0) this.options.ledger.bookRecovered(this.lossReason, missed);
    // Rows beyond those that were missed had been delivered: they are pending again.
    if (stored > missed) this.recount(stored - missed);
  }

  protected recount(count: number): void {
    const again = Math.min(count, this.#delivered.get()!);
    this.#undeliver.run(again);
    this.collect(count - again);
  }

  protected collect(count: number): void {
    this.#collect.run(count);
  }

  /** Saves samples, books and progress in one transaction. */
  protected save(work: () => SalvageProgress): void {
    try {
      this.progress = this.database
        .transaction(() => {
          const progress = work();
          this.table.save(progress);
          return progress;
        })
        .immediate();
    } catch (error) {
      this.options.epochs.forget();
      throw error;
    }
  }

  #read(progress: SalvageProgress): SalvageRead {
    const { settled = [] } = this.#account;
    switch (progress.step) {
      case 'books':
        return { pending: [], settled: [], next: { ...progress, step: 'pending' } };
      case 'pending':
        // Where it is not known what is settled, everything is pending: to send twice is better than to lose.
        return this.#readById(progress, subtract([[1, this.#upToId]], settled), 'settled');
      case 'settled':
        return this.#readById(progress, settled, progress.skipped.length > 0 ? 'pages' : 'done');
      case 'pages':
        return this.#readPages(progress);
      case 'done':
        return { pending: [], settled: [], next: progress };
    }
  }

  #readById(progress: SalvageProgress, ranges: readonly IdRange[], nextStep: SalvageProgress['step']): SalvageRead {
    const range = ranges.find(([, last]) => last > progress.position);
    if (!this.source.isOpen)
      return { pending: [], settled: [], next: { ...progress, step: 'pages', position: 0, skipped: [EVERY_ID] } };
    if (range === undefined) return { pending: [], settled: [], next: { ...progress, step: nextStep, position: 0 } };
    const [first, last] = range;
    const after = Math.max(progress.position, first - 1);
    const { samples, throughId, skipped } = this.source.samples(after, last, SLICE_ROWS);
    const indexed = this.#pages.keepIndexed(samples);
    const isWhole = skipped.length === 0 && indexed.length === samples.length;
    const gaps = this.areGapsSkipped ? subtract([[after + 1, throughId]], toRanges(indexed.map(({ id }) => id))) : [];
    const all = merge([...progress.skipped, ...gaps, ...(isWhole || this.areGapsSkipped ? [] : [EVERY_ID])]);
    const next = { ...progress, position: throughId, skipped: all.length > MAX_SKIPPED ? [EVERY_ID] : all };
    return progress.step === 'settled'
      ? { pending: [], settled: indexed, next }
      : { pending: indexed, settled: [], next };
  }

  #readPages(progress: SalvageProgress): SalvageRead {
    const { samples, doubtful, nextPlace } = this.#pages.read(progress.position);
    const wanted = intersect(progress.skipped, [[1, this.#upToId]]);
    const missed = samples.filter(({ id }) => isIn(wanted, id));
    const { settled = [] } = this.#account;
    return {
      pending: missed.filter(({ id }) => !isIn(settled, id)),
      settled: missed.filter(({ id }) => isIn(settled, id)),
      next: {
        ...progress,
        step: nextPlace === undefined ? 'done' : 'pages',
        position: nextPlace ?? 0,
        doubtful: progress.doubtful + doubtful,
      },
    };
  }

  #boundLost(): number {
    const countGone = (): number => (this.source.hasWal ? Infinity : this.#pages.census.complete().maxLostSamples);
    return boundLostSamples(this.#account, this.progress, countGone);
  }

  #store(before: SalvageProgress, { pending, settled, next }: SalvageRead): SalvageProgress {
    const { epochs, ledger, clock } = this.options;
    this.#copier ??= new SampleCopier(this.database, this.source, { epochs, shiftMs: before.shiftMs });
    const copier = this.#copier;
    const unnamed = [...pending, ...settled].filter((sample) => !copier.isNamed(sample)).length;
    const doubtful = next.doubtful + unnamed;
    const stored = copier.insert(pending, false);
    const settledNow = copier.insert(settled, true);
    const missed = Math.min(stored, before.lost);
    if (stored > 0) this.book(stored, missed);
    const count = before.areBooksKnown ? 0 : doubtful - before.doubtful;
    if (count > 0) ledger.add({ reason: 'estimated', count, firstMs: null, lastMs: null }, clock.now());
    this.collect(count);
    return { ...next, doubtful, lost: before.lost - missed, recovered: before.recovered + stored + settledNow };
  }
}

function isIn(ranges: readonly IdRange[], id: number): boolean {
  return ranges.some(([first, last]) => first <= id && id <= last);
}

/** Returns the path of a salvage's source: beside the database. */
export function sourcePath(databasePath: string, { file }: Pick<SalvageProgress, 'file'>): string {
  return join(dirname(databasePath), basename(file));
}
