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

/** Samples that were read, and how far. */
export interface SampleSlice {
  readonly samples: readonly SourceSample[];
  /** Everything up to this id has been read or skipped. */
  readonly throughId: number;
  /** Ranges that could not be read. */
  readonly skipped: readonly IdRange[];
}

/** Ids that are skipped at first after an unreadable one; each further jump is twice as long. */
const FIRST_JUMP_IDS = 16;

/** Reads as much of a corrupt database as it can: through SQLite, and page by page. */
export class CorruptDatabase {
  readonly #path: string;
  /** Undefined if SQLite cannot open it. */
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

  /** Whether SQLite can open it and finds the samples. */
  get isOpen(): boolean {
    return this.#database !== undefined;
  }

  /** Returns all rows of a query; undefined if one of them cannot be read. */
  query(sql: string): Record<string, SqlValue>[] | undefined {
    try {
      return this.#database?.prepare<[], Record<string, SqlValue>>(sql).all();
    } catch {
      return undefined;
    }
  }

  /** Returns the highest id of a sample; undefined if it cannot be read. */
  highestId(): number | undefined {
    return (this.query('SELECT MAX(id) AS id FROM samples')?.[0]?.['id'] as number | null | undefined) ?? undefined;
  }

  /**
   * Filters out samples that the index contradicts: one of both is corrupt, and no sample may be invented. If the index
   * cannot be read, the samples stay.
   */
  confirmed(samples: readonly SourceSample[]): SourceSample[] {
    const confirm = (): SourceSample[] => samples.filter((sample) => this.#isConfirmed(sample));
    try {
      // In one transaction: to lock and unlock the file for each lookup costs more than all the rest.
      return this.#database?.transaction(confirm)() ?? [...samples];
    } catch {
      // A corrupt page ended the transaction.
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

  /** Reads at most `limit` samples after an id and up to another; skips what cannot be read. */
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

  /** Adds samples to `into`, up to the first that cannot be read; returns false if there is one. */
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

  /** Reads pages without SQLite. Its connection is closed meanwhile, because closing the file elsewhere drops its locks. */
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

/** Reads the samples on a page; rows that cannot be samples are left out. */
export function samplesOnPage(pages: PageFile, place: number): SourceSample[] {
  return pages
    .rows(place, (row) => row.values.length === 4 && row.values[0] === null)
    .map(({ id, values }) => ({ id, seriesId: values[1], timestampMs: values[2], value: values[3] }) as SourceSample)
    .filter((sample) => isSample(sample));
}

/** Whether a collector could have stored this: corrupt bytes may look like a value. */
function isSample({ id, seriesId, timestampMs, value }: SourceSample): boolean {
  const isTime =
    Number.isSafeInteger(timestampMs) && timestampMs >= MIN_TIMESTAMP_MS && timestampMs <= MAX_TIMESTAMP_MS;
  const isValue = typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
  return Number.isSafeInteger(id) && id > 0 && Number.isSafeInteger(seriesId) && isTime && isValue;
}

function openIfPossible(path: string): Database | undefined {
  // SQLite removes the WAL of an empty database when it opens it, and the pages in it would be lost.
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
