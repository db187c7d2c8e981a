import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import {
  isCount,
  isObjectOf,
  isOneOf,
  isOptional,
  isRangeList,
  isText,
  parseStored,
  type Guard,
} from '@thugshells/shared/state/stored-values.ts';

/** How far the copying of another database's samples is; a row of the table `salvage`. */
export interface SalvageProgress {
  readonly id: number;
  /** The file's name, in the folder of the database. */
  readonly file: string;
  /**
   * The books first, if they were not copied when the database was created; then pending samples, settled ones, and, if
   * something could not be read, all pages.
   */
  readonly step: 'books' | 'pending' | 'settled' | 'pages' | 'done';
  readonly position: number;
  readonly skipped: readonly IdRange[];
  /** Added to stored times, so that no sample has the time of one that is stored already. */
  readonly shiftMs: number;
  /** Whether the books could be read: then every pending sample that is copied is one of `lost`. */
  readonly areBooksKnown: boolean;
  /** Whether the books are an upper bound: then what is left of `lost` is in the ledger as an estimate. */
  readonly isEstimate: boolean;
  /** What was settled, if the source does not have it. */
  readonly known?: KnownSettled | undefined;
  /** Rows on pages that could not be read or believed. */
  readonly doubtful: number;
  /** Pending rows that have not been copied yet. */
  readonly lost: number;
  readonly recovered: number;
}

/** What was known of a source while it was open, before another program wrote to its file. */
export interface KnownSettled {
  readonly lastId: number;
  readonly settled: readonly IdRange[];
}

/** What is stored as JSON in the column `skipped`. */
export type StoredDetails = Pick<
  SalvageProgress,
  'skipped' | 'shiftMs' | 'areBooksKnown' | 'isEstimate' | 'known' | 'doubtful'
>;

/** A row as SQLite returns it: each column but the id may hold a value of any type. */
type StoredProgress = { readonly id: number } & {
  readonly [Name in 'file' | 'step' | 'position' | 'skipped' | 'lost' | 'recovered']: unknown;
};

const EVERY_ID: IdRange = [1, Number.MAX_SAFE_INTEGER];
/** Of a row whose details are unreadable: every page is read. What was copied already is not copied twice: it is known by its time. */
const UNREADABLE_DETAILS = { skipped: [EVERY_ID], shiftMs: 0, areBooksKnown: true, doubtful: 0 };
const isStep = isOneOf<SalvageProgress['step']>(['books', 'pending', 'settled', 'pages', 'done']);

/** The table `salvage`: the files whose samples are to be copied into this database. */
export class SalvageTable {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #all: Statement<[], StoredProgress>;
  readonly #counted: Statement<[], number>;
  readonly #add: Statement<[{ readonly file: string }]>;
  readonly #save: Statement;
  readonly #remove: Statement<[number]>;

  constructor(database: Database, logger: Logger = silentLogger) {
    this.#database = database;
    this.#logger = logger;
    this.#counted = database
      .prepare<[], number>(`SELECT IFNULL(SUM(count), 0) FROM losses WHERE reason = 'corruption'`)
      .pluck();
    this.#all = database.prepare('SELECT id, file, step, position, skipped, lost, recovered FROM salvage ORDER BY id');
    this.#add = database.prepare(
      `INSERT INTO salvage (file, step, position, skipped, lost, recovered)
       SELECT @file, 'books', 0, '[]', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM salvage WHERE file = @file)`,
    );
    this.#save = database.prepare(
      'UPDATE salvage SET step = @step, position = @position, skipped = @skipped, lost = @lost, recovered = @recovered WHERE id = @id',
    );
    this.#remove = database.prepare('DELETE FROM salvage WHERE id = ?');
  }

  /** Returns all of them. Of an unreadable row as much is read again as may be missing; one without a file cannot be copied. */
  all(): SalvageProgress[] {
    return this.#all.all().flatMap((row) => this.#toProgress(row) ?? []);
  }

  /** Adds a file, unless it is there. The row is synced to the disk when this returns. */
  add(file: string): void {
    this.#durably(() => void this.#add.run({ file }));
  }

  /** Saves the progress and syncs everything that was committed before to the disk. */
  saveDurably(progress: SalvageProgress): void {
    this.#durably(() => this.save(progress));
  }

  save(progress: SalvageProgress): void {
    const { id, step, position, lost, recovered } = progress;
    this.#save.run({ id, step, position, lost, recovered, skipped: formatSkipped(progress) });
  }

  remove({ id }: SalvageProgress): void {
    this.#remove.run(id);
  }

  #toProgress({ id, file, step, position, skipped, lost, recovered }: StoredProgress): SalvageProgress | undefined {
    const details = parseSkipped(skipped);
    const isPlaceKnown = isStep(step) && isCount(position);
    const isReadable = isText(file) && isPlaceKnown && isCount(lost) && isCount(recovered) && details !== undefined;
    if (!isReadable) this.#logger.error('salvage progress unreadable, starting over', { path: String(file), row: id });
    if (!isText(file)) return undefined;
    const knownLost = isCount(lost) ? lost : 0;
    return {
      id,
      file,
      ...(isPlaceKnown ? { step, position } : { step: 'pending', position: 0 }),
      ...(details ?? { ...UNREADABLE_DETAILS, isEstimate: knownLost > this.#counted.get()! }),
      lost: knownLost,
      recovered: isCount(recovered) ? recovered : 0,
    };
  }

  /** A commit with synchronous=FULL syncs the whole WAL to the disk. */
  #durably(write: () => void): void {
    const before = this.#database.pragma('synchronous', { simple: true }) as number;
    this.#database.pragma('synchronous = FULL');
    try {
      write();
    } finally {
      this.#database.pragma(`synchronous = ${before}`);
    }
  }
}

/** Adds a shift to a stored `skipped`, for a source whose own samples are shifted when they are copied. */
export function shiftStoredSkipped(stored: unknown, shiftMs: number): string {
  const parsed = parseSkipped(stored) ?? { ...UNREADABLE_DETAILS, isEstimate: false };
  return formatSkipped({ ...parsed, shiftMs: parsed.shiftMs + shiftMs });
}

/** The ranges alone, as a damaged database has them, or the ranges with what else is to be remembered. */
export function formatSkipped({ skipped, shiftMs, areBooksKnown, isEstimate, known, doubtful }: StoredDetails): string {
  const isPlain = shiftMs === 0 && areBooksKnown && !isEstimate && known === undefined && doubtful === 0;
  const details = {
    ...{ skipped, shift_ms: shiftMs, are_books_known: areBooksKnown, is_estimate: isEstimate, doubtful },
    ...(known === undefined ? {} : { known }),
  };
  return JSON.stringify(isPlain ? skipped : details);
}

/** The last three are not in what earlier versions stored. */
interface StoredJson {
  readonly skipped: readonly IdRange[];
  readonly shift_ms: number;
  readonly are_books_known: boolean;
  readonly is_estimate?: boolean;
  readonly known?: KnownSettled;
  readonly doubtful?: number;
}

const isFlag: Guard<boolean> = (value): value is boolean => typeof value === 'boolean';
const isShift: Guard<number> = (value): value is number => Number.isSafeInteger(value);
const isKnown: Guard<KnownSettled> = isObjectOf<KnownSettled>({ lastId: isCount, settled: isRangeList });
const isStoredJson = isObjectOf<StoredJson>({
  skipped: isRangeList,
  shift_ms: isShift,
  are_books_known: isFlag,
  is_estimate: isOptional(isFlag),
  known: isOptional(isKnown),
  doubtful: isOptional(isCount),
});

/** Returns undefined if it is unreadable. */
function parseSkipped(stored: unknown): StoredDetails | undefined {
  const ranges = parseStored(stored, isRangeList);
  if (ranges !== undefined) return { skipped: ranges, shiftMs: 0, areBooksKnown: true, isEstimate: false, doubtful: 0 };
  const parsed = parseStored(stored, isStoredJson);
  if (parsed === undefined) return undefined;
  const {
    skipped,
    shift_ms: shiftMs,
    are_books_known: areBooksKnown,
    is_estimate: isEstimate,
    known,
    doubtful,
  } = parsed;
  return { skipped, shiftMs, areBooksKnown, isEstimate: isEstimate ?? false, known, doubtful: doubtful ?? 0 };
}
