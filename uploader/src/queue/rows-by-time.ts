import { EpochRanges, type EpochRange } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';

/** A range of corrected times: later than `afterMs`, up to and including `throughMs`; Unix milliseconds. */
export interface TimeSlice {
  readonly afterMs: number;
  readonly throughMs: number;
}

/** A row of the table, whatever became of it. */
export interface StoredRow {
  readonly id: number;
  readonly seriesId: number;
  /** Corrected, Unix milliseconds. */
  readonly timestampMs: number;
}

type Cursor = readonly [timestampMs: number, seriesId: number];

/** Reads rows by their corrected times, page by page: the index on time and series has all of it. */
export class RowsByTime {
  readonly #epochs: EpochRanges;
  readonly #pageRows: number;
  readonly #rows: Statement<unknown[], [timestampMs: number, seriesId: number, id: number]>;

  /** @param pageRows how many rows are read at once */
  constructor(database: Database, pageRows: number) {
    this.#epochs = new EpochRanges(database);
    this.#pageRows = pageRows;
    this.#rows = database
      .prepare<unknown[], [number, number, number]>(
        `SELECT timestamp_ms, series_id, id FROM samples
         WHERE (timestamp_ms, series_id) > (?, ?) AND timestamp_ms <= ? AND id BETWEEN ? AND ?
         ORDER BY timestamp_ms, series_id LIMIT ${pageRows}`,
      )
      .raw();
  }

  /** Reads the rows of a slice, epoch by epoch. No transaction is open between two pages. */
  *pages({ afterMs, throughMs }: TimeSlice): Generator<StoredRow[]> {
    for (const epoch of this.#epochs.all()) {
      let after: Cursor | undefined = [afterMs - epoch.offsetMs, Number.MAX_SAFE_INTEGER];
      while (after !== undefined) {
        const page = this.#readPage(after, throughMs, epoch);
        if (page.length > 0)
          yield page.map(([ms, seriesId, id]) => ({ id, seriesId, timestampMs: ms + epoch.offsetMs }));
        const last = page.at(-1);
        after = last === undefined || page.length < this.#pageRows ? undefined : [last[0], last[1]];
      }
    }
  }

  #readPage(after: Cursor, throughMs: number, { firstId, lastId, offsetMs }: EpochRange) {
    return this.#rows.all(...after, throughMs - offsetMs, firstId, lastId);
  }
}
