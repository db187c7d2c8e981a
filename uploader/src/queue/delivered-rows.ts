import { correctedTimeSql, EpochRanges, findEpoch, type EpochRange } from '@thugshells/shared/database/epochs.ts';
import { subtract, toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { MAX_SAMPLE_AGE_MS } from '@thugshells/shared/metrics/sample.ts';
import { ProvisionalRows } from '@thugshells/shared/database/provisional-rows.ts';

import { RowsByTime, type StoredRow, type TimeSlice } from './rows-by-time.ts';

/** A row at an end of a range of ids. */
export interface EndRow {
  readonly id: number;
  /** Corrected, Unix milliseconds. */
  readonly timestampMs: number;
}

/** The rows of a range of ids that belong to one epoch. */
export interface RowsOfRange {
  /** Of the first and the last of them. */
  readonly firstId: number;
  readonly lastId: number;
  /** The earliest and the latest of their times, corrected, Unix milliseconds. */
  readonly fromMs: number;
  readonly throughMs: number;
}

interface EndsBounds {
  readonly from: number;
  readonly to: number;
  readonly firstId: number;
  readonly lastId: number;
}

/** Rows that are read at once, within some milliseconds. */
const PAGE_ROWS = 5_000;
/** More ids than these are not all looked at for the earliest and the latest time: the index has the rows around them. */
const MAX_SEARCHED_IDS = 10_000;

/** Reads what was delivered, by time. */
export class DeliveredRows {
  readonly #epochs: EpochRanges;
  readonly #settled: Statement<[], [number, number]>;
  readonly #rejected: Statement<[], number>;
  readonly #provisional: ProvisionalRows;
  readonly #rows: RowsByTime;
  readonly #hasRowAt: Statement<[number, number, number], number>;
  readonly #ends: Statement<[EndsBounds], [number | null, number | null]>;
  readonly #endsOfFew: Statement<[EndsBounds], [number | null, number | null]>;
  readonly #value: Statement<[number], unknown>;
  readonly #firstRow: Statement<[number, number], EndRow>;
  readonly #lastRow: Statement<[number, number], EndRow>;
  readonly #firstIdAfter: Statement<[number, number, number], number | null>;
  readonly #deviceIds: Statement<[], string>;

  constructor(database: Database) {
    this.#epochs = new EpochRanges(database);
    this.#settled = database
      .prepare<[], [number, number]>('SELECT first_id, last_id FROM settled ORDER BY first_id')
      .raw();
    this.#rejected = database.prepare<[], number>('SELECT id FROM rejected').pluck();
    this.#provisional = new ProvisionalRows(database);
    this.#rows = new RowsByTime(database, PAGE_ROWS);
    this.#hasRowAt = database
      .prepare<[number, number, number], number>(
        'SELECT EXISTS (SELECT 1 FROM samples WHERE timestamp_ms = ? AND id BETWEEN ? AND ?)',
      )
      .pluck();
    const end = (order: string): string =>
      `(SELECT timestamp_ms FROM samples WHERE timestamp_ms BETWEEN @from AND @to AND id BETWEEN @firstId AND @lastId ORDER BY timestamp_ms ${order} LIMIT 1)`;
    this.#ends = database
      .prepare<[EndsBounds], [number | null, number | null]>(`SELECT ${end('ASC')}, ${end('DESC')}`)
      .raw();
    // The plus makes SQLite search by id.
    this.#endsOfFew = database
      .prepare<[EndsBounds], [number | null, number | null]>(
        `SELECT MIN(timestamp_ms), MAX(timestamp_ms) FROM samples
         WHERE id BETWEEN @firstId AND @lastId AND +timestamp_ms BETWEEN @from AND @to`,
      )
      .raw();
    const endRow = (order: string): string =>
      `SELECT id, ${correctedTimeSql()} AS timestampMs FROM samples WHERE id BETWEEN ? AND ? ORDER BY id ${order} LIMIT 1`;
    this.#firstRow = database.prepare(endRow('ASC'));
    this.#lastRow = database.prepare(endRow('DESC'));
    this.#firstIdAfter = database
      .prepare<[number, number, number], number | null>(
        'SELECT MIN(id) FROM samples WHERE timestamp_ms > ? AND id BETWEEN ? AND ?',
      )
      .pluck();
    this.#deviceIds = database.prepare<[], string>('SELECT DISTINCT device_id FROM series').pluck();
    this.#value = database.prepare<[number], unknown>('SELECT value FROM samples WHERE id = ?').pluck();
  }

  /** Returns the ids that are delivered, and those of them that are provisional: the receiver may not have stored them yet. */
  readDelivered(): { readonly final: readonly IdRange[]; readonly provisional: readonly IdRange[] } {
    const provisional = this.#provisional.read();
    const delivered = subtract(this.#settled.all(), toRanges(this.#rejected.all()));
    return { final: subtract(delivered, provisional), provisional };
  }

  /** Returns the slice from the first to the last stored row of a range of times; undefined if it has none. */
  findStored({ afterMs, throughMs }: TimeSlice): TimeSlice | undefined {
    const ends = this.#epochs.all().flatMap(({ firstId, lastId, offsetMs }) => {
      const bounds = { from: afterMs + 1 - offsetMs, to: throughMs - offsetMs, firstId, lastId };
      const [first, last] = this.#ends.get(bounds)!;
      return first === null || last === null ? [] : [{ first: first + offsetMs, last: last + offsetMs }];
    });
    if (ends.length === 0) return undefined;
    return {
      afterMs: Math.min(...ends.map(({ first }) => first)) - 1,
      throughMs: Math.max(...ends.map(({ last }) => last)),
    };
  }

  /**
   * Returns the latest time up to `ms` at which there is no row. Prometheus 2 counts a sample at the beginning of a range,
   * 3 and VictoriaMetrics do not: a slice after such a time is the same for both.
   */
  findFreeTime(ms: number): number {
    const epochs = this.#epochs.all();
    const isTaken = (time: number): boolean =>
      epochs.some(({ firstId, lastId, offsetMs }) => this.#hasRowAt.get(time - offsetMs, firstId, lastId) === 1);
    let time = ms;
    while (isTaken(time)) time -= 1;
    return time;
  }

  /** Finds the rows of a range of ids that belong to the epoch of the last one; undefined if the range has no row. */
  findNewest(range: IdRange): (RowsOfRange & { readonly epoch: EpochRange }) | undefined {
    const last = this.#lastRow.get(...range);
    const epoch = last && findEpoch(this.#epochs.all(), last.id);
    const rows = epoch && this.findRows(range, epoch);
    return rows && { ...rows, epoch };
  }

  /**
   * Finds the rows of a range of ids that belong to an epoch; undefined if there is none. Within an epoch time grows with the
   * ids, but a row may be older than those around it by as much as samples with a time of their own may be.
   */
  findRows([firstId, lastId]: IdRange, epoch: EpochRange): RowsOfRange | undefined {
    const ids = [Math.max(firstId, epoch.firstId), Math.min(lastId, epoch.lastId)] as const;
    const first = this.#firstRow.get(...ids);
    const last = this.#lastRow.get(...ids);
    if (first === undefined || last === undefined) return undefined;
    const bounds: EndsBounds = {
      from: first.timestampMs - epoch.offsetMs - MAX_SAMPLE_AGE_MS,
      to: last.timestampMs - epoch.offsetMs + MAX_SAMPLE_AGE_MS,
      firstId: first.id,
      lastId: last.id,
    };
    const ends = last.id - first.id < MAX_SEARCHED_IDS ? this.#endsOfFew : this.#ends;
    const [fromMs, throughMs] = ends.get(bounds)!;
    return {
      firstId: first.id,
      lastId: last.id,
      fromMs: fromMs === null ? first.timestampMs : fromMs + epoch.offsetMs,
      throughMs: throughMs === null ? last.timestampMs : throughMs + epoch.offsetMs,
    };
  }

  /** Returns the oldest row of a range of ids; undefined if there is none. */
  findOldest([firstId, lastId]: IdRange): EndRow | undefined {
    return this.#firstRow.get(firstId, lastId);
  }

  /** Returns ranges of ids without those of rows that are later than a corrected time. */
  withoutLater(ranges: readonly IdRange[], throughMs: number): IdRange[] {
    const later = this.#epochs.all().flatMap(({ firstId, lastId, offsetMs }): IdRange[] => {
      const first = this.#firstIdAfter.get(throughMs - offsetMs, firstId, lastId);
      return first === null || first === undefined ? [] : [[first, lastId]];
    });
    return subtract(ranges, later);
  }

  /** Lists the devices whose samples are in the database: more than one if THUGSHELLS_DEVICE_ID was changed. */
  listDeviceIds(): string[] {
    return this.#deviceIds.all();
  }

  /** Reads the rows of a slice, page by page. */
  pages(slice: TimeSlice): Iterable<StoredRow[]> {
    return this.#rows.pages(slice);
  }

  /** Reads the value of a row. */
  readValue(id: number): unknown {
    return this.#value.get(id);
  }
}
