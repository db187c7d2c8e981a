import { statSync } from 'node:fs';

import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';

import { PageFile, type SqlValue } from './leaf-pages.ts';

/** A row of `samples`, stored time as it was. */
export interface SourceSample {
  readonly id: number;
  readonly seriesId: number;
  readonly timestampMs: number;
  readonly value: number | string;
}

/** What one look at the samples came to. */
export interface SampleSlice {
  readonly samples: readonly SourceSample[];
  /** Everything up to this id has been looked at. */
  readonly throughId: number;
  /** IdRange that could not be read. */
  readonly skipped: readonly IdRange[];
}

/** How far a look over damage jumps at first; each further jump is twice as long. */
const FIRST_JUMP_IDS = 16;

/** A database that SQLite finds damaged, read as far as it can be: through SQLite, and page by page. */
export class CorruptDatabase {
  readonly #path: string;
  /** Undefined where SQLite cannot even open it. */
  #database: Database | undefined;
  #confirm: Statement<[number, number], number> | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#database = openIfPossible(path);
  }

  /** Whether there is anything to read. */
  get exists(): boolean {
    return [this.#path, `${this.#path}-wal`].some((path) => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0);
  }

  /** Whether SQLite finds its tables. */
  get isOpen(): boolean {
    return this.#database !== undefined;
  }

  /** All rows of a query, or undefined where not all of them can be read. */
  query(sql: string): Record<string, SqlValue>[] | undefined {
    try {
      return this.#database?.prepare<[], Record<string, SqlValue>>(sql).all();
    } catch {
      return undefined;
    }
  }

  /** The highest id of a sample; undefined where that cannot be found out. */
  highestId(): number | undefined {
    return (this.query('SELECT MAX(id) AS id FROM samples')?.[0]?.['id'] as number | null | undefined) ?? undefined;
  }

  /**
   * Samples without those of which the index says something else: one of both is damaged, and nothing is to be invented.
   * Where the index cannot be read, the rows are believed.
   */
  confirmed(samples: readonly SourceSample[]): SourceSample[] {
    const confirm = (): SourceSample[] => samples.filter((sample) => this.#isConfirmed(sample));
    try {
      // In one transaction: each look by itself would take and drop the locks of the file, which costs more than all the rest.
      return this.#database?.transaction(confirm)() ?? [...samples];
    } catch {
      // The damage that it met ended the transaction.
      return confirm();
    }
  }

  #isConfirmed({ id, seriesId, timestampMs }: SourceSample): boolean {
    try {
      this.#confirm ??= this.#database
        ?.prepare<[number, number], number>(
          'SELECT id FROM samples INDEXED BY samples_identity WHERE timestamp_ms = ? AND series_id = ?',
        )
        .pluck();
      return this.#confirm === undefined || this.#confirm.get(timestampMs, seriesId) === id;
    } catch {
      return true;
    }
  }

  /** The next samples after an id and up to another, at most `limit` of them; steps over what cannot be read. */
  samples(afterId: number, upToId: number, limit: number): SampleSlice {
    const samples: SourceSample[] = [];
    const skipped: IdRange[] = [];
    let position = afterId;
    for (let jump = FIRST_JUMP_IDS; samples.length < limit; jump *= 2) {
      const isWhole = this.#readSamples(position, upToId, limit - samples.length, samples);
      const last = samples.at(-1)?.id ?? position;
      if (isWhole) return { samples, throughId: samples.length < limit ? upToId : last, skipped };
      const from = Math.max(position, last) + 1;
      position = Math.min(from + jump - 1, upToId);
      skipped.push([from, position]);
      if (position >= upToId) return { samples, throughId: upToId, skipped };
    }
    return { samples, throughId: samples.at(-1)?.id ?? position, skipped };
  }

  /** Adds samples to `into`, up to the first that cannot be read; false where there is one. */
  #readSamples(afterId: number, upToId: number, limit: number, into: SourceSample[]): boolean {
    try {
      const rows = this.#database!.prepare<[number, number, number], SourceSample>(
        'SELECT id, series_id AS seriesId, timestamp_ms AS timestampMs, value FROM samples WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
      ).iterate(afterId, upToId, limit);
      for (const row of rows) if (isSample(row)) into.push(row);
      return true;
    } catch {
      return false;
    }
  }

  /** Reads pages past SQLite, whose connection is closed meanwhile: closing the file by other means drops its locks. */
  withPages<T>(read: (pages: PageFile) => T): T {
    this.#database?.close();
    this.#confirm = undefined;
    const pages = new PageFile(this.#path);
    try {
      return read(pages);
    } finally {
      pages.close();
      this.#database = openIfPossible(this.#path);
    }
  }

  close(): void {
    this.#database?.close();
  }
}

/** What a page's rows are samples of; rows that could not be are left out. */
export function samplesOnPage(pages: PageFile, place: number): SourceSample[] {
  return pages
    .rows(place, (row) => row.values.length === 4 && row.values[0] === null)
    .map(({ id, values }) => ({ id, seriesId: values[1], timestampMs: values[2], value: values[3] }) as SourceSample)
    .filter((sample) => isSample(sample));
}

/** Damage may look like a value: what no collector would have stored is not believed. */
function isSample({ id, seriesId, timestampMs, value }: SourceSample): boolean {
  const isTime =
    Number.isSafeInteger(timestampMs) && timestampMs >= MIN_TIMESTAMP_MS && timestampMs <= MAX_TIMESTAMP_MS;
  const isValue = typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
  return Number.isSafeInteger(id) && id > 0 && Number.isSafeInteger(seriesId) && isTime && isValue;
}

function openIfPossible(path: string): Database | undefined {
  // SQLite removes the WAL of a database of no bytes when it opens it, and with it the pages that are left.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return undefined;
  let database: Database | undefined;
  try {
    database = openDatabase(path, { readonly: true });
    database.prepare('SELECT id, series_id, timestamp_ms, value FROM samples LIMIT 0').all();
    return database;
  } catch {
    database?.close();
    return undefined;
  }
}
