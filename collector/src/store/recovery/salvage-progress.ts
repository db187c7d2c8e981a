import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

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
  /** Rows on pages that could not be read or believed. */
  readonly doubtful: number;
  /** Pending rows that have not been copied yet. */
  readonly lost: number;
  readonly recovered: number;
}

/** What is stored as JSON in the column `skipped`. */
export type StoredDetails = Pick<SalvageProgress, 'skipped' | 'shiftMs' | 'areBooksKnown' | 'isEstimate' | 'doubtful'>;

type StoredProgress = Omit<SalvageProgress, keyof StoredDetails> & { readonly skipped: string };

/** The table `salvage`: the files whose samples are to be copied into this database. */
export class SalvageTable {
  readonly #database: Database;
  readonly #all: Statement<[], StoredProgress>;
  readonly #add: Statement<[{ readonly file: string }]>;
  readonly #save: Statement;
  readonly #remove: Statement<[number]>;

  constructor(database: Database) {
    this.#database = database;
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

  all(): SalvageProgress[] {
    return this.#all.all().map((row) => ({ ...row, ...parseSkipped(row.skipped) }));
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
export function shiftStoredSkipped(text: string, shiftMs: number): string {
  const parsed = parseSkipped(text);
  return formatSkipped({ ...parsed, shiftMs: parsed.shiftMs + shiftMs });
}

/** The ranges alone, as a damaged database has them, or the ranges with what else is to be remembered. */
export function formatSkipped({ skipped, shiftMs, areBooksKnown, isEstimate, doubtful }: StoredDetails): string {
  const isPlain = shiftMs === 0 && areBooksKnown && !isEstimate && doubtful === 0;
  const details = { skipped, shift_ms: shiftMs, are_books_known: areBooksKnown, is_estimate: isEstimate, doubtful };
  return JSON.stringify(isPlain ? skipped : details);
}

function parseSkipped(text: string): StoredDetails {
  const parsed = JSON.parse(text) as IdRange[] | StoredJson;
  if (Array.isArray(parsed))
    return { skipped: parsed, shiftMs: 0, areBooksKnown: true, isEstimate: false, doubtful: 0 };
  const { skipped, shift_ms: shiftMs, are_books_known: areBooksKnown, is_estimate: isEstimate, doubtful } = parsed;
  return { skipped, shiftMs, areBooksKnown, isEstimate: isEstimate ?? false, doubtful: doubtful ?? 0 };
}

/** The last two are not in what earlier versions stored. */
interface StoredJson {
  readonly skipped: IdRange[];
  readonly shift_ms: number;
  readonly are_books_known: boolean;
  readonly is_estimate?: boolean;
  readonly doubtful?: number;
}
