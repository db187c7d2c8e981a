import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { seriesKey } from '@thugshells/shared/metrics/sample.ts';
import { NORMAL_PRIORITY } from '@thugshells/shared/metrics/series.ts';
import { Trust } from '@thugshells/shared/state/epoch-trust.ts';

import type { ForeignEpoch } from '../clock/epoch.ts';
import type { CorruptDatabase } from './corrupt-database.ts';
import type { LeafRow } from './leaf-pages.ts';
import type { Loss } from '../space/ledger.ts';

/** Reads the tables of a corrupt database besides its samples, as far as it can, and drops what cannot be right. */

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

/** A row of `epochs`. */
export interface SourceEpoch extends ForeignEpoch {
  readonly firstId: number;
}

/** A row of `salvage`: what the database was copying itself. */
export interface SourceSalvage {
  readonly file: string;
  readonly step: string;
  readonly position: number;
  readonly skipped: string;
  readonly lost: number;
  readonly recovered: number;
}

/** A row of `rejected`. */
export interface SourceRejection {
  readonly id: number;
  readonly status: number | null;
  readonly reason: string;
}

/** Both sides of the books, as far as they could be read. */
export interface SourceBooks {
  readonly lastId: number;
  readonly collected: number;
  readonly dropped: number;
  readonly heartbeatMs: number;
  readonly delivered: number;
  readonly rejected: number;
}

/** Reads the books; undefined if they cannot be read or are not numbers. */
export function readBooks(source: CorruptDatabase): SourceBooks | undefined {
  const row = source.query(
    `SELECT last_id AS lastId, collected, dropped, heartbeat AS heartbeatMs, delivered, rejected FROM collector_state, uploader_state`,
  )?.[0];
  return row !== undefined && Object.values(row).every(isCount) ? (row as unknown as SourceBooks) : undefined;
}

/**
 * Reads the settled ids without the provisional ones, whose delivery was not confirmed; undefined if they cannot be read
 * or contradict the books.
 */
export function readSettled(source: CorruptDatabase): IdRange[] | undefined {
  const settled = readRanges(source, 'SELECT first_id AS first, last_id AS last FROM settled ORDER BY first_id');
  const provisional = readRanges(
    source,
    'SELECT value ->> 0 AS first, value ->> 1 AS last FROM provisional, json_each(provisional.ranges) ORDER BY first',
  );
  const isBalanced = source.query('SELECT balanced FROM books')?.[0]?.['balanced'] !== 0;
  const isWithin = (settled?.at(-1)?.[1] ?? 0) <= (readBooks(source)?.lastId ?? 0);
  if (settled === undefined || provisional === undefined || !isBalanced || !isWithin) return undefined;
  return subtract(settled, provisional);
}

/** Reads ranges; undefined unless they are whole numbers in ascending order. */
function readRanges(source: CorruptDatabase, sql: string): IdRange[] | undefined {
  const found = source.query(sql)?.map(({ first, last }): IdRange => [first as number, last as number]);
  const areOrdered = found?.every(([first, last], index) => {
    return isCount(first) && isCount(last) && first <= last && first > (found[index - 1]?.[1] ?? 0);
  });
  return areOrdered === true ? found : undefined;
}

/** Reads why samples were rejected, as far as it can. */
export function readRejections(source: CorruptDatabase): SourceRejection[] {
  const rows = (source.query('SELECT id, status, reason FROM rejected') ?? []) as unknown as SourceRejection[];
  return rows.filter(({ id, reason }) => isCount(id) && typeof reason === 'string');
}

/** Reads the ledger of drops, as far as it can. */
export function readLosses(source: CorruptDatabase): (Loss & { readonly at: number })[] {
  const rows =
    source.query('SELECT at, reason, first_ms AS firstMs, last_ms AS lastMs, count FROM losses ORDER BY id') ?? [];
  return (rows as unknown as (Loss & { at: number })[]).filter(
    ({ at, count, reason }) => isCount(at) && isCount(count) && typeof reason === 'string',
  );
}

/** Reads the epochs; if it cannot, returns one that takes stored times as they are. */
export function readEpochs(source: CorruptDatabase): SourceEpoch[] {
  const columns = 'first_id AS firstId, offset_ms AS offsetMs, trusted AS trust, boot_id AS bootId, reason';
  // Before version 5 of the schema an epoch could not be corrected later.
  const rows =
    source.query(`SELECT ${columns}, boot_base_ms AS bootBaseMs, lost FROM epochs ORDER BY first_id`) ??
    source.query(`SELECT ${columns}, NULL AS bootBaseMs, 0 AS lost FROM epochs ORDER BY first_id`) ??
    [];
  const known = rows
    .filter(
      ({ firstId, offsetMs, bootBaseMs }) =>
        isCount(firstId) && [offsetMs, bootBaseMs ?? 0].every(Number.isSafeInteger),
    )
    .map(
      (row) =>
        ({
          ...row,
          trust: isTrust(row['trust']) ? row['trust'] : Trust.no,
          isLost: row['lost'] === 1,
        }) as unknown as SourceEpoch,
    );
  if (known.length > 0) return known;
  return [
    {
      firstId: 0,
      offsetMs: 0,
      bootBaseMs: null,
      trust: Trust.confirmed,
      bootId: null,
      isLost: false,
      reason: 'the epochs could not be read',
    },
  ];
}

/** Reads the source's own unfinished salvages, as far as it can. */
export function readSalvages(source: CorruptDatabase): SourceSalvage[] {
  const rows = source.query('SELECT file, step, position, skipped, lost, recovered FROM salvage ORDER BY id') ?? [];
  const isWhole = ({ file, step, position, skipped, lost, recovered }: SourceSalvage): boolean =>
    [file, step].every((text) => typeof text === 'string') &&
    isJson(skipped) &&
    [position, lost, recovered].every(isCount);
  return (rows as unknown as SourceSalvage[]).filter(isWhole);
}

/** Reads the series from either copy of the table, without those that do not match their keys. */
export function readSeries(source: CorruptDatabase): SourceSeries[] {
  const columns = 'id, key, name, tags, device_id AS deviceId, value_type AS valueType, priority';
  const copies = ['series', 'series_copy'].map(
    (table) => source.query(`SELECT ${columns} FROM ${table}`) as SourceSeries[] | undefined,
  );
  const whole = copies.find((rows) => rows?.every(matchesKey));
  const found = whole ?? [...copies.flatMap((rows) => rows ?? []), ...seriesFromPages(source)].filter(matchesKey);
  const withPriority = (each: SourceSeries): SourceSeries => ({
    ...each,
    priority: isCount(each.priority) ? each.priority : NORMAL_PRIORITY,
  });
  return [...new Map(found.map((each) => [each.id, withPriority(each)])).values()];
}

function seriesFromPages(source: CorruptDatabase): SourceSeries[] {
  return source.withPages((pages) => {
    const found: SourceSeries[] = [];
    for (let place = 0; place < pages.count; place++) {
      for (const row of pages.rows(place, isSeriesRow)) if (isSeriesRow(row)) found.push(toSeries(row));
    }
    return found;
  });
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

function isJson(value: unknown): boolean {
  try {
    return typeof JSON.parse(value as string) === 'object';
  } catch {
    return false;
  }
}

function isTrust(value: unknown): value is Trust {
  return Object.values(Trust).some((trust) => trust === value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
