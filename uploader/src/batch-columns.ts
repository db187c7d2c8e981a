import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS, timestampRefusal, valueRefusal } from '@thugshells/shared/sample.js';

import { finiteNumbers, joinPrinted, wholeNumbers, type PrintedNumbers } from './printed-numbers.js';
import type { PrintedRows, StoredRow } from './row-reader.js';

/** The samples of a batch in the order of their ids. */
export interface Columns {
  readonly count: number;
  readonly ids: Float64Array;
  readonly seriesIds: Float64Array;
  /** True times in Unix milliseconds. */
  readonly timestamps: PrintedNumbers;
  readonly values: PrintedNumbers;
  /** The value of each sample that is a text, by its place; printed, it is 1. */
  readonly texts?: readonly (string | undefined)[];
}

/** A row that no receiver would keep. */
export interface RefusedRow {
  readonly id: number;
  readonly reason: string;
}

/** A batch's rows, those that may be sent told from those that may not. */
interface SortedOut {
  readonly columns: Columns;
  readonly refused: readonly RefusedRow[];
}

/** Columns of rows that are all sound: finite numbers at times that the receiver keeps; undefined where one is not. */
export function columnsOf(parts: readonly PrintedRows[], latestMs: number): SortedOut | undefined {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const join = (of: (part: PrintedRows) => Uint8Array): Uint8Array => joinPrinted(parts.map(of));
  const seriesIds = wholeNumbers(join((part) => part.seriesIds), count);
  const timestamps = wholeNumbers(join((part) => part.timestamps), count);
  const values = finiteNumbers(join((part) => part.values), count);
  if (seriesIds === undefined || timestamps === undefined || values === undefined) return undefined;
  const latest = Math.min(MAX_TIMESTAMP_MS, latestMs);
  if (!timestamps.numbers.every((time) => time >= MIN_TIMESTAMP_MS && time <= latest)) return undefined;
  return { columns: { count, ids: idsOf(parts, count), seriesIds: seriesIds.numbers, timestamps, values }, refused: [] };
}

/**
 * Columns of those rows that are sound, and why the others are not. Stored rows may be older than the rules: those of
 * the first versions were never checked.
 */
export function columnsOfSound(rows: readonly StoredRow[], latestMs: number): SortedOut {
  const refusals = rows.map(({ value, timestampMs }) => {
    const refusal = valueRefusal(value) ?? timestampRefusal(timestampMs);
    return refusal ?? ((timestampMs as number) > latestMs ? 'more than two days in the future' : undefined);
  });
  const sound = rows.filter((_, index) => refusals[index] === undefined);
  const refused = rows.flatMap(({ id }, index) => (refusals[index] === undefined ? [] : [{ id, reason: refusals[index] }]));
  const count = sound.length;
  const print = (of: (row: StoredRow) => number | string): Uint8Array => Buffer.from(sound.map(of).join());
  const columns = {
    count,
    ids: Float64Array.from(sound, ({ id }) => id),
    seriesIds: Float64Array.from(sound, ({ seriesId }) => seriesId),
    timestamps: wholeNumbers(print(({ timestampMs }) => timestampMs as number), count)!,
    values: finiteNumbers(print(({ value, printedValue }) => (typeof value === 'string' ? 1 : printedValue)), count)!,
    texts: sound.map(({ value }) => (typeof value === 'string' ? value : undefined)),
  };
  return { columns, refused };
}

function idsOf(parts: readonly PrintedRows[], count: number): Float64Array {
  const ids = new Float64Array(count);
  let place = 0;
  for (const { firstId, ids: printed, count: rows } of parts) {
    if (printed === undefined) for (let index = 0; index < rows; index++) ids[place + index] = firstId + index;
    else ids.set(wholeNumbers(printed, rows)!.numbers, place);
    place += rows;
  }
  return ids;
}
