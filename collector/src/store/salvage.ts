import { basename, dirname, join } from 'node:path';

import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { subtract, type IdRange } from '@thugshells/shared/id-ranges.ts';
import type { Logger } from '@thugshells/shared/logger.ts';

import type { ClockEpochs } from '../clock-epochs.ts';
import { storable } from '../sample-writer.ts';
import { DamagedDatabase, samplesOnPage, type OldSample } from './damaged-database.ts';
import { booksOf, epochsIn, rejectionsIn, settledIn, type OldEpoch, type OldRejection } from './damaged-tables.ts';
import type { Ledger } from './ledger.ts';

/** Where a salvage stands; a row of the table of that name. */
interface Progress {
  readonly id: number;
  readonly file: string;
  /** Pending rows first, then what is settled, then, where something could not be read, page by page. */
  readonly step: 'pending' | 'settled' | 'pages' | 'done';
  readonly position: number;
  readonly skipped: readonly IdRange[];
  readonly lost: number;
  readonly recovered: number;
}

/** What one look came to, and where the next one begins. */
interface Look {
  readonly samples: readonly OldSample[];
  readonly next: Progress;
}

export interface SalvageOptions {
  readonly logger: Logger;
  readonly epochs: ClockEpochs;
  readonly ledger: Ledger;
}

/** Rows and pages in one slice: some milliseconds, so that no scrape waits for it. */
const SLICE_ROWS = 1_000;
const SLICE_PAGES = 50;
/** Ranges of ids that could not be read are remembered one by one up to this many, then as one. */
const MAX_SKIPPED = 1_000;
const EVERY_ID: IdRange = [1, Number.MAX_SAFE_INTEGER];

/**
 * Copies the rows of a damaged database into the one that took its place, a slice at a time, beside the collection.
 *
 * They get new ids, since what is known of the old ones (settled, on their way) may be damaged too, and keep their
 * times. Pending rows were booked as lost when the new database was made; each one that is found is taken back from
 * the books in the transaction that stores it, so that a kill in between leaves the truth.
 */
export class Salvage {
  readonly #database: Database;
  readonly #options: SalvageOptions;
  readonly #source: DamagedDatabase;
  readonly #epochs: readonly OldEpoch[];
  readonly #settled: readonly IdRange[] | undefined;
  readonly #upToId: number;
  readonly #series: ReadonlySet<number>;
  readonly #rejected: ReadonlyMap<number, OldRejection>;
  readonly #statements: SalvageStatements;
  #progress: Progress;

  private constructor(database: Database, path: string, progress: Progress, options: SalvageOptions) {
    this.#database = database;
    this.#options = options;
    this.#progress = progress;
    this.#source = new DamagedDatabase(path);
    this.#epochs = epochsIn(this.#source);
    this.#settled = settledIn(this.#source);
    this.#upToId = Math.max(booksOf(this.#source)?.lastId ?? 0, this.#source.highestId() ?? 0) || EVERY_ID[1];
    this.#series = new Set(database.prepare<[], number>('SELECT id FROM series').pluck().all());
    this.#rejected = new Map(rejectionsIn(this.#source).map((each) => [each.id, each]));
    this.#statements = statementsOf(database);
  }

  /**
   * The salvage that a database is in the middle of, if any.
   *
   * @param path of the damaged database; where it is not given, as the database names it, in its own folder
   */
  static resume(database: Database, options: SalvageOptions & { readonly databasePath: string; readonly path?: string }): Salvage | undefined {
    const row = database.prepare<[], Omit<Progress, 'skipped'> & { skipped: string }>('SELECT * FROM salvage ORDER BY id LIMIT 1').get();
    if (row === undefined) return undefined;
    const path = options.path ?? join(dirname(options.databasePath), basename(row.file));
    return new Salvage(database, path, { ...row, skipped: JSON.parse(row.skipped) as IdRange[] }, options);
  }

  /** Copies one slice; false where there is nothing left to copy. */
  step(): boolean {
    const before = this.#progress;
    if (before.step === 'done' || !this.#source.exists) return this.#finish();
    const { samples, next } = this.#slice(before);
    try {
      this.#progress = this.#database.transaction(() => this.#store(before, next, samples)).immediate();
    } catch (error) {
      this.#options.epochs.forget();
      throw error;
    }
    return true;
  }

  close(): void {
    this.#source.close();
  }

  #slice(progress: Progress): Look {
    switch (progress.step) {
      case 'pending':
        return this.#slicePast(progress, this.#pending(), 'settled');
      case 'settled':
        return this.#slicePast(progress, this.#settled ?? [], progress.skipped.length > 0 ? 'pages' : 'done');
      case 'pages':
        return this.#slicePages(progress);
      case 'done':
        return { samples: [], next: progress };
    }
  }

  /** Where it is not known what is settled, everything is pending: to send twice is better than to lose. */
  #pending(): IdRange[] {
    return subtract([[1, this.#upToId]], this.#settled ?? []);
  }

  #slicePast(progress: Progress, ranges: readonly IdRange[], nextStep: Progress['step']): Look {
    const range = ranges.find(([, last]) => last > progress.position);
    if (!this.#source.isOpen) return { samples: [], next: { ...progress, step: 'pages', position: 0, skipped: [EVERY_ID] } };
    if (range === undefined) return { samples: [], next: { ...progress, step: nextStep, position: 0 } };
    const [first, last] = range;
    const { samples, throughId, skipped } = this.#source.samples(Math.max(progress.position, first - 1), last, SLICE_ROWS);
    const all = [...progress.skipped, ...skipped];
    return { samples: this.#source.confirmed(samples), next: { ...progress, position: throughId, skipped: all.length > MAX_SKIPPED ? [EVERY_ID] : all } };
  }

  #slicePages(progress: Progress): Look {
    const { samples, count } = this.#source.withPages((pages) => {
      const end = Math.min(pages.count, progress.position + SLICE_PAGES);
      const found: OldSample[] = [];
      for (let place = progress.position; place < end; place++) found.push(...samplesOnPage(pages, place));
      return { samples: found, count: pages.count };
    });
    const wasSkipped = ({ id }: OldSample): boolean => progress.skipped.some(([first, last]) => first <= id && id <= last);
    const position = progress.position + SLICE_PAGES;
    return {
      samples: this.#source.confirmed(samples.filter(wasSkipped)).sort((a, b) => a.id - b.id),
      next: { ...progress, position, step: position >= count ? 'done' : 'pages' },
    };
  }

  /** Inside the transaction: rows, books and progress move together. */
  #store(before: Progress, next: Progress, samples: readonly OldSample[]): Progress {
    const isSettled = before.step === 'settled';
    let stored = 0;
    for (const run of this.#runs(samples)) stored += this.#insert(run, isSettled);
    const found = isSettled ? 0 : Math.min(stored, before.lost);
    if (found > 0) this.#options.ledger.takeBack('corruption', found);
    // Rows beyond those that were missed had been delivered: they are pending again.
    if (!isSettled && stored > found) this.#recount(stored - found);
    const progress = { ...next, lost: before.lost - found, recovered: before.recovered + stored };
    this.#statements.save.run({ ...progress, skipped: JSON.stringify(progress.skipped) });
    return progress;
  }

  #insert({ epoch, samples }: { readonly epoch: OldEpoch; readonly samples: readonly OldSample[] }, isSettled: boolean): number {
    const { lastId, insert, setLastId, settle, reject } = this.#statements;
    const before = lastId.get()!;
    let id = before;
    this.#options.epochs.recordForeign(epoch.offsetMs, before + 1);
    for (const { id: oldId, seriesId, timestampMs, value } of samples) {
      // Found already, or the new database has this series' sample of this very time.
      if (insert.run(id + 1, seriesId, timestampMs, storable(value)).changes === 0) continue;
      id += 1;
      const rejection = isSettled ? this.#rejected.get(oldId) : undefined;
      if (rejection !== undefined) reject.run(id, rejection.status, rejection.reason);
    }
    setLastId.run(id);
    if (isSettled && id > before) settle(before + 1, id);
    return id - before;
  }

  /** Samples of known series in runs of one epoch. Nobody knows the time of those of an epoch that was never trusted. */
  #runs(samples: readonly OldSample[]): { epoch: OldEpoch; samples: OldSample[] }[] {
    const runs: { epoch: OldEpoch; samples: OldSample[] }[] = [];
    for (const sample of samples) {
      const epoch = this.#epochs.findLast(({ firstId }) => firstId <= sample.id) ?? this.#epochs[0]!;
      if (!epoch.trusted || !this.#series.has(sample.seriesId)) continue;
      const run = runs.at(-1);
      if (run?.epoch === epoch) run.samples.push(sample);
      else runs.push({ epoch, samples: [sample] });
    }
    return runs;
  }

  #recount(count: number): void {
    const { delivered, undeliver, collect } = this.#statements;
    const again = Math.min(count, delivered.get()!);
    undeliver.run(again);
    collect.run(count - again);
  }

  #finish(): boolean {
    const { id, file, recovered, lost } = this.#progress;
    this.#database.prepare('DELETE FROM salvage WHERE id = ?').run(id);
    this.#options.logger.warn('a damaged database has been salvaged', { path: file, count: recovered, lost });
    this.close();
    return false;
  }
}

interface SalvageStatements {
  readonly lastId: Statement<[], number>;
  readonly insert: Statement;
  readonly setLastId: Statement<[number]>;
  readonly reject: Statement;
  readonly settle: (firstId: number, lastId: number) => void;
  readonly delivered: Statement<[], number>;
  readonly undeliver: Statement<[number]>;
  readonly collect: Statement<[number]>;
  readonly save: Statement;
}

function statementsOf(database: Database): SalvageStatements {
  const extend = database.prepare('UPDATE settled SET last_id = ? WHERE last_id = ?');
  const begin = database.prepare('INSERT INTO settled (first_id, last_id) VALUES (?, ?)');
  return {
    lastId: database.prepare<[], number>('SELECT last_id FROM collector_state').pluck(),
    insert: database.prepare('INSERT OR IGNORE INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, ?)'),
    setLastId: database.prepare('UPDATE collector_state SET last_id = ?'),
    settle: (firstId, lastId) => {
      if (extend.run(lastId, firstId - 1).changes === 0) begin.run(firstId, lastId);
    },
    reject: database.prepare('INSERT INTO rejected (id, status, reason) VALUES (?, ?, ?)'),
    delivered: database.prepare<[], number>('SELECT delivered FROM uploader_state').pluck(),
    undeliver: database.prepare('UPDATE uploader_state SET delivered = delivered - ?'),
    collect: database.prepare('UPDATE collector_state SET collected = collected + ?'),
    save: database.prepare(
      'UPDATE salvage SET step = @step, position = @position, skipped = @skipped, lost = @lost, recovered = @recovered WHERE id = @id',
    ),
  };
}
