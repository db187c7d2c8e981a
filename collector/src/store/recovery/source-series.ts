import { seriesKey } from '@thugshells/shared/metrics/sample.ts';
import { NORMAL_PRIORITY } from '@thugshells/shared/metrics/series.ts';

import type { CorruptDatabase } from './corrupt-database.ts';
import type { LeafRow } from './leaf-pages.ts';
import { isCount } from './source-books.ts';

/** Columns of `series` and `series_copy`. */
export const SERIES_COLUMNS = 7;

/** A row of `series`; its key is a hash of the rest. */
export interface SourceSeries {
  readonly id: number;
  readonly key: Buffer;
  readonly name: string;
  readonly tags: string;
  readonly deviceId: string;
  readonly valueType: number;
  readonly priority: number;
}

/** Reads the series from either copy of the table, without those that do not match their keys. */
export function readSeries(source: CorruptDatabase): SourceSeries[] {
  const columns = 'id, key, name, tags, device_id AS deviceId, value_type AS valueType, priority';
  const copies = ['series', 'series_copy'].map(
    (table) => source.query(`SELECT ${columns} FROM ${table}`) as SourceSeries[] | undefined,
  );
  const [series, copy] = copies.map((rows) => (rows?.every(matchesKey) === true ? rows : undefined));
  // A page that was lost may look like a table that has fewer rows.
  const areWhole = series !== undefined && copy !== undefined && series.length === copy.length;
  const found = areWhole
    ? series
    : [...copies.flatMap((rows) => rows ?? []), ...seriesFromPages(source)].filter(matchesKey);
  const withPriority = (each: SourceSeries): SourceSeries => ({
    ...each,
    priority: isCount(each.priority) ? each.priority : NORMAL_PRIORITY,
  });
  return oneIdEach(found).map(withPriority);
}

/**
 * A series has one id, which its key does not vouch for. Where copies of it disagree, the lowest that no other series has
 * is its own: ids are given one after the other, so that a changed one is most likely too high or another's.
 */
function oneIdEach(found: readonly SourceSeries[]): SourceSeries[] {
  const byKey = new Map<string, Map<number, SourceSeries>>();
  for (const series of found) {
    const key = series.key.toString('hex');
    const sameKey = byKey.get(key) ?? new Map<number, SourceSeries>();
    byKey.set(key, sameKey.set(series.id, series));
  }
  const all = [...byKey.values()].map((sameKey) => [...sameKey.values()].sort((a, b) => a.id - b.id));
  const claimed = new Set(all.filter(({ length }) => length === 1).map(([series]) => series!.id));
  return all.flatMap((copiesOfOne) => {
    const own = copiesOfOne.length === 1 ? copiesOfOne[0] : copiesOfOne.find(({ id }) => !claimed.has(id));
    return own === undefined ? [] : [own];
  });
}

function seriesFromPages(source: CorruptDatabase): SourceSeries[] {
  return source.withPages((pages) => {
    const found: SourceSeries[] = [];
    for (let place = 0; place < pages.count; place++) {
      for (const row of pages.rows(place, mayBeSeries)) if (isSeriesRow(row)) found.push(toSeries(row));
    }
    return found;
  });
}

/** The header of a record has a byte for itself and at least one for each column. */
function mayBeSeries(_id: number, headerBytes: number): boolean {
  return headerBytes > SERIES_COLUMNS;
}

function matchesKey({ key, name, deviceId, tags, valueType }: SourceSeries): boolean {
  return Buffer.isBuffer(key) && key.equals(seriesKey(name, deviceId, tags, valueType));
}

function isSeriesRow({ values: [id, key, name, tags, deviceId, valueType, priority, ...more] }: LeafRow): boolean {
  const areTexts = [name, tags, deviceId].every((value) => typeof value === 'string');
  const areNumbers = [valueType, priority].every((value) => typeof value === 'number');
  return id === null && Buffer.isBuffer(key) && key.length === 32 && areTexts && areNumbers && more.length === 0;
}

function toSeries({ id, values: [, key, name, tags, deviceId, valueType, priority] }: LeafRow): SourceSeries {
  return { id, key, name, tags, deviceId, valueType, priority } as SourceSeries;
}
