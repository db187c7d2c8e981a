import { statSync } from 'node:fs';

import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.js';
import { seriesKey, MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from '@thugshells/shared/sample.js';
import { NORMAL_PRIORITY } from '@thugshells/shared/series.js';

import type { Loss } from './ledger.js';
import { PageFile, type LeafRow, type Value } from './leaf-pages.js';

/** First and last id of a run of ids, both included. */
export type Ids = readonly [first: number, last: number];

/** A row of `samples`, stored time as it was. */
export interface OldSample {
  readonly id: number;
  readonly seriesId: number;
  readonly timestampMs: number;
  readonly value: number | string;
}

/** A row of `series`; its key vouches for it. */
export interface OldSeries {
  readonly id: number;
  readonly key: Buffer;
  readonly name: string;
  readonly tags: string;
  readonly deviceId: string;
  readonly valueType: number;
  readonly priority: number;
}

export interface OldEpoch {
  readonly firstId: number;
  readonly offsetMs: number;
  readonly trusted: boolean;
  readonly bootId: string | null;
  readonly reason: string;
}

/** A row of `rejected`. */
export interface OldRejection {
  readonly id: number;
  readonly status: number | null;
  readonly reason: string;
}

/** Both sides of the books, as far as they could be read. */
export interface OldBooks {
  readonly lastId: number;
  readonly collected: number;
  readonly dropped: number;
  readonly heartbeatMs: number;
  readonly delivered: number;
  readonly rejected: number;
}

/** What one look at the samples came to. */
export interface SampleSlice {
  readonly samples: readonly OldSample[];
  /** Everything up to this id has been looked at. */
  readonly throughId: number;
  /** Ids that could not be read. */
  readonly skipped: readonly Ids[];
}

/** How far a look over damage jumps at first; each further jump is twice as long. */
const FIRST_JUMP_IDS = 16;

/** A database that SQLite finds damaged, read as far as it can be: through SQLite, and page by page. */
export class DamagedDatabase {
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
  query(sql: string): Record<string, Value>[] | undefined {
    try {
      return this.#database?.prepare<[], Record<string, Value>>(sql).all();
    } catch {
      return undefined;
    }
  }

  /** The books; undefined where they cannot be read or are no numbers. */
  books(): OldBooks | undefined {
    const row = this.query(
      `SELECT last_id AS lastId, collected, dropped, heartbeat AS heartbeatMs, delivered, rejected FROM collector_state, uploader_state`,
    )?.[0];
    return row !== undefined && Object.values(row).every(isCount) ? (row as unknown as OldBooks) : undefined;
  }

  /**
   * What is settled; undefined where that cannot be read or contradicts the books. What was not yet sure to be delivered
   * is left out.
   */
  settled(): Ids[] | undefined {
    const settled = this.#ranges('SELECT first_id AS first, last_id AS last FROM settled ORDER BY first_id');
    const provisional = this.#ranges(
      'SELECT value ->> 0 AS first, value ->> 1 AS last FROM provisional, json_each(provisional.ranges) ORDER BY first',
    );
    const isBalanced = this.query('SELECT balanced FROM books')?.[0]?.['balanced'] !== 0;
    const isWithin = (settled?.at(-1)?.[1] ?? 0) <= (this.books()?.lastId ?? 0);
    if (settled === undefined || provisional === undefined || !isBalanced || !isWithin) return undefined;
    return without(settled, provisional);
  }

  /** Ranges, if they are: whole numbers, and each one after the one before. */
  #ranges(sql: string): Ids[] | undefined {
    const ranges = this.query(sql)?.map(({ first, last }): Ids => [first as number, last as number]);
    const areOrdered = ranges?.every(([first, last], index) => {
      return isCount(first) && isCount(last) && first <= last && first > (ranges[index - 1]?.[1] ?? 0);
    });
    return areOrdered === true ? ranges : undefined;
  }

  /** Why rows were rejected, as far as that can be read. */
  rejections(): OldRejection[] {
    const rows = (this.query('SELECT id, status, reason FROM rejected') ?? []) as unknown as OldRejection[];
    return rows.filter(({ id, reason }) => isCount(id) && typeof reason === 'string');
  }

  /** Losses that were booked before, as far as they can be read. */
  losses(): (Loss & { readonly at: number })[] {
    const rows = this.query('SELECT at, reason, first_ms AS firstMs, last_ms AS lastMs, count FROM losses ORDER BY id') ?? [];
    return (rows as unknown as (Loss & { at: number })[]).filter(({ at, count, reason }) => isCount(at) && isCount(count) && typeof reason === 'string');
  }

  /** The epochs; where they cannot be read, one that takes stored times as they are. */
  epochs(): OldEpoch[] {
    const rows = this.query('SELECT first_id AS firstId, offset_ms AS offsetMs, trusted, boot_id AS bootId, reason FROM epochs ORDER BY first_id') ?? [];
    const known = rows
      .filter(({ firstId, offsetMs }) => isCount(firstId) && Number.isSafeInteger(offsetMs))
      .map((row) => ({ ...row, trusted: row['trusted'] === 1 }) as unknown as OldEpoch);
    return known.length > 0 ? known : [{ firstId: 0, offsetMs: 0, trusted: true, bootId: null, reason: 'the epochs could not be read' }];
  }

  /** The series that can be read, from either copy, and are what their keys say. */
  series(): OldSeries[] {
    const columns = 'id, key, name, tags, device_id AS deviceId, value_type AS valueType, priority';
    const copies = ['series', 'series_copy'].map((table) => this.query(`SELECT ${columns} FROM ${table}`) as OldSeries[] | undefined);
    const whole = copies.find((rows) => rows?.every(isWhatItsKeySays));
    const found = whole ?? [...copies.flatMap((rows) => rows ?? []), ...this.#seriesFromPages()].filter(isWhatItsKeySays);
    const withPriority = (each: OldSeries): OldSeries => ({ ...each, priority: isCount(each.priority) ? each.priority : NORMAL_PRIORITY });
    return [...new Map(found.map((each) => [each.id, withPriority(each)])).values()];
  }

  /** The highest id of a sample; undefined where that cannot be found out. */
  highestId(): number | undefined {
    return (this.query('SELECT MAX(id) AS id FROM samples')?.[0]?.['id'] as number | null | undefined) ?? undefined;
  }

  /**
   * Samples without those of which the index says something else: one of both is damaged, and nothing is to be invented.
   * Where the index cannot be read, the rows are believed.
   */
  confirmed(samples: readonly OldSample[]): OldSample[] {
    return samples.filter((sample) => this.#isConfirmed(sample));
  }

  #isConfirmed({ id, seriesId, timestampMs }: OldSample): boolean {
    try {
      this.#confirm ??= this.#database
        ?.prepare<[number, number], number>('SELECT id FROM samples INDEXED BY samples_identity WHERE timestamp_ms = ? AND series_id = ?')
        .pluck();
      return this.#confirm === undefined || this.#confirm.get(timestampMs, seriesId) === id;
    } catch {
      return true;
    }
  }

  /** The next samples after an id and up to another, at most `limit` of them; steps over what cannot be read. */
  samples(afterId: number, upToId: number, limit: number): SampleSlice {
    const samples: OldSample[] = [];
    const skipped: Ids[] = [];
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
  #readSamples(afterId: number, upToId: number, limit: number, into: OldSample[]): boolean {
    try {
      const rows = this.#database!
        .prepare<[number, number, number], OldSample>(
          'SELECT id, series_id AS seriesId, timestamp_ms AS timestampMs, value FROM samples WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
        )
        .iterate(afterId, upToId, limit);
      for (const row of rows) if (isSample(row)) into.push(row);
      return true;
    } catch {
      return false;
    }
  }

  #seriesFromPages(): OldSeries[] {
    return this.withPages((pages) => {
      const found: OldSeries[] = [];
      for (let place = 0; place < pages.count; place++) {
        for (const row of pages.rows(place, isSeriesRow)) if (isSeriesRow(row)) found.push(seriesOf(row));
      }
      return found;
    });
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
export function samplesOnPage(pages: PageFile, place: number): OldSample[] {
  return pages
    .rows(place, (row) => row.values.length === 4 && row.values[0] === null)
    .map(({ id, values }) => ({ id, seriesId: values[1], timestampMs: values[2], value: values[3] }) as OldSample)
    .filter((sample) => isSample(sample));
}

/** Damage may look like a value: what no collector would have stored is not believed. */
function isSample({ id, seriesId, timestampMs, value }: OldSample): boolean {
  const isTime = Number.isSafeInteger(timestampMs) && timestampMs >= MIN_TIMESTAMP_MS && timestampMs <= MAX_TIMESTAMP_MS;
  const isValue = typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
  return Number.isSafeInteger(id) && id > 0 && Number.isSafeInteger(seriesId) && isTime && isValue;
}

function isWhatItsKeySays({ key, name, deviceId, tags, valueType }: OldSeries): boolean {
  return Buffer.isBuffer(key) && key.equals(seriesKey(name, deviceId, tags, valueType));
}

function isSeriesRow({ values: [id, key, name, tags, deviceId, valueType, priority, ...more] }: LeafRow): boolean {
  const areTexts = [name, tags, deviceId].every((value) => typeof value === 'string');
  const areNumbers = [valueType, priority].every((value) => typeof value === 'number');
  return id === null && Buffer.isBuffer(key) && key.length === 32 && areTexts && areNumbers && more.length === 0;
}

function seriesOf({ id, values: [, key, name, tags, deviceId, valueType, priority] }: LeafRow): OldSeries {
  return { id, key, name, tags, deviceId, valueType, priority } as OldSeries;
}

function openIfPossible(path: string): Database | undefined {
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

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** What is in `ranges` and not in `taken`; both ascending, `ranges` disjoint. */
export function without(ranges: readonly Ids[], taken: readonly Ids[]): Ids[] {
  return ranges.flatMap(([first, last]) => {
    const rest: Ids[] = [];
    let from = first;
    for (const [takenFirst, takenLast] of taken) {
      if (takenLast < from || takenFirst > last) continue;
      if (takenFirst > from) rest.push([from, takenFirst - 1]);
      from = takenLast + 1;
    }
    if (from <= last) rest.push([from, last]);
    return rest;
  });
}
