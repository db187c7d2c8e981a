import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { seriesKey, seriesText, type Sample } from '@thugshells/shared/metrics/sample.ts';

import type { StoredName } from './admission.ts';

/** The table `series`, and the ids of series that it holds. */
export class SeriesTable {
  readonly #find: Statement<[Buffer], number>;
  readonly #insert: Statement;
  readonly #names: Statement<[], StoredName>;
  readonly #ids = new Map<string, number>();

  constructor(database: Database) {
    this.#find = database.prepare<[Buffer], number>('SELECT id FROM series WHERE key = ?').pluck();
    this.#insert = database.prepare(
      'INSERT INTO series (key, name, tags, device_id, value_type, priority) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#names = database.prepare('SELECT DISTINCT name, value_type AS valueType FROM series');
  }

  /** Forgets cached ids: a transaction that created some was rolled back. */
  forget(): void {
    this.#ids.clear();
  }

  /** Returns the names of all stored series. */
  readNames(): StoredName[] {
    return this.#names.all();
  }

  /** Returns the id of a sample's series, which is created if it is missing. */
  findId(sample: Sample): number {
    const cacheKey = seriesText(sample);
    const cached = this.#ids.get(cacheKey);
    if (cached !== undefined) return cached;
    const key = seriesKey(sample.name, sample.deviceId, sample.canonical, sample.valueType);
    const id = this.#find.get(key) ?? this.#create(key, sample);
    this.#ids.set(cacheKey, id);
    return id;
  }

  #create(key: Buffer, sample: Sample): number {
    const { name, deviceId, valueType, priority, canonical } = sample;
    return Number(this.#insert.run(key, name, canonical, deviceId, valueType, priority).lastInsertRowid);
  }
}
