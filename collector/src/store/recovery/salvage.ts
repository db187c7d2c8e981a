import { basename, dirname, join } from 'node:path';

import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import type { Notify } from '@thugshells/shared/process/systemd.ts';

import type { ClockEpochs } from '../clock/clock-epochs.ts';
import { CorruptDatabase, samplesOnPage, type SourceSample } from './corrupt-database.ts';
import { readBooks, readSettled } from './corrupt-tables.ts';
import type { Ledger } from '../space/ledger.ts';
import { SalvageTable, type SalvageProgress } from './salvage-progress.ts';
import { SampleCopier } from './sample-copier.ts';

/** The samples of one slice, and the progress after it. */
interface SalvageRead {
  readonly samples: readonly SourceSample[];
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

/** Samples and pages in one slice: some milliseconds, so that no scrape is late. */
const SLICE_ROWS = 1_000;
const SLICE_PAGES = 50;
/** Up to this many ranges of unreadable ids are recorded; beyond it, one range of all ids. */
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
  readonly #settled: readonly IdRange[] | undefined;
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
    this.#settled = readSettled(this.source);
    this.#upToId = Math.max(readBooks(this.source)?.lastId ?? 0, this.source.highestId() ?? 0) || EVERY_ID[1];
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
    const { samples, next } = this.#read(before);
    this.save(() => this.#store(before, next, samples));
    return true;
  }

  close(): void {
    this.source.close();
  }

  /** Removes the finished salvage and logs its result. */
  protected finish(): void {
    const { file, recovered, lost } = this.progress;
    this.table.remove(this.progress);
    this.options.logger.warn('salvage finished', { path: file, count: recovered, lost });
    this.close();
  }

  /** Books, in the transaction that stores them, pending samples that were found; `missed` of them were booked as dropped. */
  protected book(stored: number, missed: number): void {
    if (missed > 0) this.options.ledger.bookRecovered('corruption', missed);
    // Samples beyond those that were booked as dropped had been delivered: they are pending again.
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
    switch (progress.step) {
      case 'books':
        return { samples: [], next: { ...progress, step: 'pending' } };
      case 'pending':
        return this.#readRanges(progress, this.#pending(), 'settled');
      case 'settled':
        return this.#readRanges(progress, this.#settled ?? [], progress.skipped.length > 0 ? 'pages' : 'done');
      case 'pages':
        return this.#readPages(progress);
      case 'done':
        return { samples: [], next: progress };
    }
  }

  /** Returns the pending ids; all ids if it is not known what is settled: to send twice is better than to lose. */
  #pending(): IdRange[] {
    return subtract([[1, this.#upToId]], this.#settled ?? []);
  }

  #readRanges(progress: SalvageProgress, ranges: readonly IdRange[], nextStep: SalvageProgress['step']): SalvageRead {
    const range = ranges.find(([, last]) => last > progress.position);
    if (!this.source.isOpen)
      return { samples: [], next: { ...progress, step: 'pages', position: 0, skipped: [EVERY_ID] } };
    if (range === undefined) return { samples: [], next: { ...progress, step: nextStep, position: 0 } };
    const [first, last] = range;
    const { samples, throughId, skipped } = this.source.samples(
      Math.max(progress.position, first - 1),
      last,
      SLICE_ROWS,
    );
    const all = [...progress.skipped, ...skipped];
    return {
      samples: this.source.confirmed(samples),
      next: { ...progress, position: throughId, skipped: all.length > MAX_SKIPPED ? [EVERY_ID] : all },
    };
  }

  #readPages(progress: SalvageProgress): SalvageRead {
    const { samples, count } = this.source.withPages((pages) => {
      const end = Math.min(pages.count, progress.position + SLICE_PAGES);
      const found: SourceSample[] = [];
      for (let place = progress.position; place < end; place++) found.push(...samplesOnPage(pages, place));
      return { samples: found, count: pages.count };
    });
    const wasSkipped = ({ id }: SourceSample): boolean =>
      progress.skipped.some(([first, last]) => first <= id && id <= last);
    const position = progress.position + SLICE_PAGES;
    return {
      samples: this.source.confirmed(samples.filter(wasSkipped)).sort((a, b) => a.id - b.id),
      next: { ...progress, position, step: position >= count ? 'done' : 'pages' },
    };
  }

  #store(before: SalvageProgress, next: SalvageProgress, samples: readonly SourceSample[]): SalvageProgress {
    const isSettled = before.step === 'settled';
    const { epochs } = this.options;
    this.#copier ??= new SampleCopier(this.database, this.source, { epochs, shiftMs: before.shiftMs });
    const stored = this.#copier.insert(samples, isSettled);
    if (isSettled) return { ...next, recovered: before.recovered + stored };
    const missed = Math.min(stored, before.lost);
    this.book(stored, missed);
    return { ...next, lost: before.lost - missed, recovered: before.recovered + stored };
  }
}

/** Returns the path of a salvage's source: beside the database. */
export function sourcePath(databasePath: string, { file }: Pick<SalvageProgress, 'file'>): string {
  return join(dirname(databasePath), basename(file));
}
