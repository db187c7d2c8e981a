import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.js';
import type { Labels } from '@thugshells/shared/sample.js';

import type { IdRange } from './id-ranges.js';

/** A stored row, with its true time. */
export interface Row {
  readonly id: number;
  readonly seriesId: number;
  /** Unix milliseconds. */
  readonly timestampMs: number;
  readonly value: unknown;
}

/** What the encoder needs to know of a series. */
export interface SeriesRow {
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: number;
}

/** The encode worker's own, read-only look at the rows. */
export class RowReader {
  readonly #database: Database;
  readonly #rows: Statement<[number, number], Row>;
  readonly #series: Statement<[number], { name: string; device_id: string; tags: string; value_type: number }>;
  readonly #known = new Map<number, SeriesRow>();

  constructor(databasePath: string) {
    this.#database = openDatabase(databasePath, { readonly: true });
    this.#rows = this.#database.prepare<[number, number], Row>(
      `SELECT id, series_id AS seriesId, value, timestamp_ms
         + (SELECT offset_ms FROM epochs WHERE first_id <= samples.id ORDER BY first_id DESC LIMIT 1) AS timestampMs
       FROM samples WHERE id BETWEEN ? AND ? ORDER BY id`,
    );
    this.#series = this.#database.prepare('SELECT name, device_id, tags, value_type FROM series WHERE id = ?');
  }

  /** The rows that exist in these ranges, in the order of their ids. */
  read(ranges: readonly IdRange[]): Row[] {
    return this.#database.transaction(() => ranges.flatMap((range) => this.#rows.all(...range)))();
  }

  /** A series by its id; series never change. */
  series(id: number): SeriesRow {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = this.#series.get(id);
    if (row === undefined) throw new Error(`sample of series ${id}, which does not exist`);
    const series = {
      name: row.name,
      deviceId: row.device_id,
      tags: JSON.parse(row.tags) as Labels,
      valueType: row.value_type,
    };
    this.#known.set(id, series);
    return series;
  }

  close(): void {
    this.#database.close();
  }
}
