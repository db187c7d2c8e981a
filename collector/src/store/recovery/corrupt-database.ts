import { statSync } from 'node:fs';

import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { PageFile } from './leaf-pages.ts';
import type { SqlValue } from './record-format.ts';
import { readSampleCells, toSourceSample, type SourceSample, type StoredSample } from './source-sample.ts';

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
/** The index in its own order: where the table's last page cannot be read, it may. */
const NEWEST_ENTRY =
  'SELECT id FROM samples INDEXED BY samples_identity ORDER BY timestamp_ms DESC, series_id DESC LIMIT 1';

/** Reads as much of a corrupt database as it can: through SQLite, and page by page. */
export class CorruptDatabase {
  readonly #path: string;
  /** Undefined if SQLite cannot open it. */
  #database: Database | undefined;
  #find: Statement<[number, number], number> | undefined;
  #highestId: number | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#database = openIfPossible(path);
  }

  /** Whether rows may stand in a WAL beside the file. */
  get hasWal(): boolean {
    return (statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
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

  /** The highest id of a row that table and index agree on, or of a page; 0 if there is none. */
  highestId(): number {
    this.#highestId ??= this.#maxId() ?? this.#agreedId(NEWEST_ENTRY) ?? this.#highestIdOnPages();
    return this.#highestId;
  }

  /** Whether no row has a higher one: the table's last row is the index's too. */
  get isHighestIdCertain(): boolean {
    const id = this.#maxId();
    return id !== undefined && id === this.#agreedId(NEWEST_ENTRY);
  }

  #maxId(): number | undefined {
    return this.#agreedId('SELECT MAX(id) FROM samples');
  }

  /** The id that the index has for a time and series; `none` if there is none, undefined if it cannot be read. */
  findIndexedId(timestampMs: number, seriesId: number): number | 'none' | undefined {
    try {
      this.#find ??= this.#database
        ?.prepare<[number, number], number>(
          'SELECT id FROM samples INDEXED BY samples_identity WHERE timestamp_ms = ? AND series_id = ?',
        )
        .pluck();
      return this.#find === undefined ? undefined : (this.#find.get(timestampMs, seriesId) ?? 'none');
    } catch {
      return undefined;
    }
  }

  /** Runs lookups in one transaction: each by itself would take and drop the locks of the file, which costs more than the rest. */
  inTransaction<T>(work: () => T): T {
    const database = this.#database;
    database?.exec('BEGIN');
    try {
      return work();
    } finally {
      // Corruption that a lookup met may have ended it.
      if (database?.inTransaction === true) database.exec('ROLLBACK');
    }
  }

  /** The row with an id, without its value; `none` if there is no such row, undefined if it cannot be read. */
  findRow(id: number): Pick<SourceSample, 'id' | 'timestampMs' | 'seriesId'> | 'none' | undefined {
    const rows = this.query(
      `SELECT id, timestamp_ms AS timestampMs, series_id AS seriesId FROM samples WHERE id = ${id}`,
    );
    return rows === undefined ? undefined : ((rows[0] as unknown as SourceSample | undefined) ?? 'none');
  }

  /** Whether the index has an entry with an id from one time to another, in its place: a damaged one is not found there. */
  hasIndexEntry(id: number, fromMs: number, toMs: number): boolean {
    const entries = this.query(
      `SELECT timestamp_ms AS timestampMs, series_id AS seriesId FROM samples INDEXED BY samples_identity
       WHERE timestamp_ms BETWEEN ${fromMs} AND ${toMs} AND +id = ${id}`,
    ) as Pick<SourceSample, 'timestampMs' | 'seriesId'>[] | undefined;
    return entries?.some(({ timestampMs, seriesId }) => this.findIndexedId(timestampMs, seriesId) === id) ?? false;
  }

  #agreedId(sql: string): number | undefined {
    const id = this.query(`SELECT (${sql}) AS id`)?.[0]?.['id'];
    if (!Number.isSafeInteger(id)) return undefined;
    const row = this.findRow(id as number);
    if (row === undefined || row === 'none') return undefined;
    return this.findIndexedId(row.timestampMs, row.seriesId) === id ? (id as number) : undefined;
  }

  /** The highest id on any page that is one of several that follow each other: a single one may have changed. */
  #highestIdOnPages(): number {
    return this.withPages((pages) => {
      let highest = 0;
      // From the end, where the highest ids are: most other pages have none that is higher.
      for (let place = pages.count - 1; place >= 0; place--) {
        if (!hasHigherId(pages, place, highest)) continue;
        const ids = readSampleCells(pages, place).flatMap((sample) => (sample === undefined ? [] : [sample.id]));
        for (const [at, id] of ids.entries()) if (at > 0 && id === ids[at - 1]! + 1) highest = Math.max(highest, id);
      }
      return highest;
    });
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

  /** Adds samples to `into`, up to the first that cannot be read; returns false if there is one. */
  #readSamples(afterId: number, upToId: number, limit: number, into: SourceSample[]): boolean {
    try {
      const rows = this.#database!.prepare<[number, number, number], StoredSample>(
        'SELECT id, series_id AS seriesId, timestamp_ms AS timestampMs, value FROM samples WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
      ).iterate(afterId, upToId, limit);
      // Ids that are out of order are damaged: with one of them the next look would begin where this one did.
      let lastId = afterId;
      for (const row of rows) {
        const sample = toSourceSample(row);
        if (sample === undefined || sample.id <= lastId) continue;
        lastId = sample.id;
        into.push(sample);
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Reads pages without SQLite. Its connection is closed meanwhile, because closing the file elsewhere drops its locks. */
  withPages<T>(read: (pages: PageFile) => T): T {
    this.#database?.close();
    this.#find = undefined;
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

/** Whether a page has a row with a higher id, whatever the row is. */
function hasHigherId(pages: PageFile, place: number, than: number): boolean {
  let isFound = false;
  pages.rows(place, (id) => {
    isFound ||= id > than;
    return false;
  });
  return isFound;
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
