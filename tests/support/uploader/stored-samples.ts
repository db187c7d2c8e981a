import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { canonicalTags, seriesKey, type Labels } from '@thugshells/shared/metrics/sample.ts';

/** The time of the first sample in Unix milliseconds. */
export const START_MS = 1_700_000_000_000;

export interface SeriesOptions {
  readonly tags?: Labels;
  readonly deviceId?: string;
  readonly valueType?: number;
}

/** A migrated database in a folder of its own, filled as the collector fills it. */
export class StoredSamples {
  readonly folder = mkdtempSync(join(tmpdir(), 'thugshells-uploader-'));
  readonly path = join(this.folder, 'metrics.db');
  readonly database: Database = openDatabase(this.path, { create: true });

  readonly #nextId: Statement<[], number>;
  readonly #insert: Statement;

  constructor() {
    migrate(this.database);
    this.#nextId = this.database
      .prepare<[], number>(
        'UPDATE collector_state SET last_id = last_id + 1, collected = collected + 1 RETURNING last_id',
      )
      .pluck();
    this.#insert = this.database.prepare(
      'INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, ?)',
    );
  }

  /** Closes and deletes the database. */
  remove(): void {
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Creates a series; returns its id. */
  series(name: string, { tags = {}, deviceId = 'board-1', valueType = 0 }: SeriesOptions = {}): number {
    const canonical = canonicalTags(tags);
    const insert = this.database.prepare(
      'INSERT INTO series (key, name, tags, device_id, value_type, priority) VALUES (?, ?, ?, ?, ?, 1)',
    );
    const key = seriesKey(name, deviceId, canonical, valueType);
    return Number(insert.run(key, name, canonical, deviceId, valueType).lastInsertRowid);
  }

  /** Stores one value with the next id and counts it as collected; returns the id. */
  add(seriesId: number, timestampMs: unknown, value: unknown): number {
    const id = this.#nextId.get()!;
    this.#insert.run(id, seriesId, timestampMs, value);
    return id;
  }

  /** Stores scrapes of one value for each series, a second apart; values count up from 0. Returns the ids. */
  scrapes(count: number, seriesIds: readonly number[]): number[] {
    const first = this.number('SELECT last_id FROM collector_state');
    return this.database.transaction(() =>
      Array.from({ length: count }, (_, scrape) =>
        seriesIds.map((seriesId) => this.add(seriesId, START_MS + first * 1000 + scrape * 1000, scrape)),
      ).flat(),
    )();
  }

  /** Stores `count` rows of one series; returns the ids. */
  rows(count: number, name = 'load.average_1m'): number[] {
    const known = this.database.prepare<[string], number>('SELECT id FROM series WHERE name = ?').pluck().get(name);
    return this.scrapes(count, [known ?? this.series(name)]);
  }

  /** Deletes rows as retention does (delivered ones) or as the size cap does (pending ones, counted as dropped). */
  drop(ids: readonly number[], cause: 'retention' | 'cap'): void {
    const remove = this.database.prepare('DELETE FROM samples WHERE id = ?');
    const removed = ids.reduce((sum, id) => sum + remove.run(id).changes, 0);
    if (cause === 'cap') this.database.prepare('UPDATE collector_state SET dropped = dropped + ?').run(removed);
  }

  /** Begins an epoch with the row that is stored next. */
  beginEpoch(offsetMs: number, trusted: boolean): void {
    this.database
      .prepare(
        `INSERT INTO epochs (first_id, offset_ms, trusted, reason) SELECT last_id + 1, ?, ?, 'test' FROM collector_state`,
      )
      .run(offsetMs, trusted ? 1 : 0);
  }

  /** Reads the column `uploaded` of the view for each existing row: 0 pending, 1 delivered, 2 rejected. */
  uploaded(): Map<number, number> {
    const rows = this.database
      .prepare<[], [number, number]>('SELECT id, uploaded FROM metrics ORDER BY id')
      .raw()
      .all();
    return new Map(rows);
  }

  /** Lists the ids of the rows in one state. */
  idsOf(state: 'pending' | 'delivered' | 'rejected'): number[] {
    const code = { pending: 0, delivered: 1, rejected: 2 }[state];
    return [...this.uploaded()].filter(([, uploaded]) => uploaded === code).map(([id]) => id);
  }

  /** Returns the number that a query selects. */
  number(sql: string): number {
    return this.database.prepare<[], number>(sql).pluck().get()!;
  }
}

/** Lists the ids of ranges, one by one. */
export function idsIn(ranges: readonly IdRange[]): number[] {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
}
