import { openDatabase } from '@thugshells/shared/database/open.ts';

/** A row of the view. */
export interface StoredRow {
  readonly id: number;
  readonly timestampMs: number;
  readonly value: number;
  /** 0 pending, 1 delivered, 2 rejected. */
  readonly uploaded: 0 | 1 | 2;
}

export interface StoredBooks {
  readonly collected: number;
  readonly delivered: number;
  readonly rejected: number;
  readonly dropped: number;
  readonly pending: number;
  readonly balanced: number;
}

/** Everything that the invariants speak of, at one moment. */
export interface StoredState {
  readonly rows: ReadonlyMap<number, StoredRow>;
  readonly books: StoredBooks;
  readonly lastId: number;
  readonly settled: readonly (readonly [firstId: number, lastId: number])[];
  /** Ids whose acceptance is not final yet. */
  readonly provisional: readonly (readonly [firstId: number, lastId: number])[];
}

/** Reads the state from a database that others write to. */
export function readState(path: string): StoredState {
  const database = openDatabase(path, { readonly: true });
  const ranges = (sql: string): [number, number][] => database.prepare<[], [number, number]>(sql).raw().all();
  try {
    return database.transaction(() => {
      const rows = database
        .prepare<[], StoredRow>(
          'SELECT id, timestamp_ms AS timestampMs, metric_value AS value, uploaded FROM metrics ORDER BY id',
        )
        .all();
      return {
        rows: new Map(rows.map((row) => [row.id, row])),
        books: database.prepare<[], StoredBooks>('SELECT * FROM books').get()!,
        lastId: database.prepare<[], number>('SELECT last_id FROM collector_state').pluck().get()!,
        settled: ranges('SELECT first_id, last_id FROM settled ORDER BY first_id'),
        provisional: ranges('SELECT value ->> 0, value ->> 1 FROM provisional, json_each(provisional.ranges)'),
      };
    })();
  } finally {
    database.close();
  }
}

/** Whether an id lies in one of some ranges. */
export function isWithin(id: number, ranges: StoredState['settled']): boolean {
  return ranges.some(([first, last]) => first <= id && id <= last);
}
