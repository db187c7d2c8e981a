import type { Database } from './open.ts';

/** The rows of a table with ids from `first` to `last`. */
export interface TableSlice {
  readonly first: number;
  readonly last: number;
  /** Share of the table that is done after this slice, 0 to 1. */
  readonly share: number;
  /** Runs the statement on this slice. */
  readonly run: () => void;
}

/** Takes 10 ms on a desktop and seconds on a poor SD card: no overhead there, progress here. */
const SLICE_IDS = 20_000;

/**
 * Splits the run of a statement with `:first_of_TABLE` and `:last_of_TABLE` into slices over all ids of that table.
 * Skips ids that no row has, however many.
 */
export function* sliceTable(database: Database, sql: string, table: string): Generator<TableSlice> {
  const statement = database.prepare(sql);
  // Two look-ups at the ends; MIN and MAX of one SELECT would read the whole table.
  const ends = `SELECT (SELECT MIN(id) FROM ${table}) AS low, (SELECT MAX(id) FROM ${table}) AS high`;
  const { low, high } = database.prepare<[], { low: number | null; high: number }>(ends).get()!;
  const next = database.prepare<[number], number | null>(`SELECT MIN(id) FROM ${table} WHERE id > ?`).pluck();
  let first = low;
  while (first !== null) {
    const last = Math.min(first + SLICE_IDS - 1, high);
    const bounds = { [`first_of_${table}`]: first, [`last_of_${table}`]: last };
    yield { first, last, share: (last - low! + 1) / (high - low! + 1), run: () => void statement.run(bounds) };
    first = next.get(last) ?? null;
  }
}
