import { EpochRanges, findEpoch, isOffset } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { MIN_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';
import { readStoredValue, STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';
import { isCount } from '@thugshells/shared/state/stored-values.ts';

import type { BatchColumns } from './batch-columns.ts';

/** From a sample on, a series has counted since this time. */
interface SeriesStart {
  readonly firstId: number;
  /** Stored time; undefined if it is not known. */
  readonly startMs: number | undefined;
}

/** A row of `series_starts`: each column but the id may hold a value of any type. */
interface StoredStart {
  readonly id: number;
  readonly seriesId: unknown;
  readonly firstId: unknown;
  readonly startMs: unknown;
}

/** Rows that are read before the first look which of them the collector has deleted. */
const MIN_ROWS = 1_000;

/** Finds since when the series of counters, histograms and summaries have counted. */
export class StartTimes {
  readonly #rows: Statement<[number], StoredStart>;
  readonly #epochs: EpochRanges;
  readonly #bySeries = new Map<number, SeriesStart[]>();
  #lastRow = 0;
  /** Rows that were read, and how many may be before all are read anew. */
  #count = 0;
  #maxCount = MIN_ROWS;

  constructor(database: Database) {
    this.#rows = database.prepare(
      'SELECT id, series_id AS seriesId, first_id AS firstId, start_ms AS startMs FROM series_starts WHERE id > ? ORDER BY id',
    );
    this.#epochs = new EpochRanges(database);
  }

  /**
   * Returns the start of each sample of a batch in Unix milliseconds, 0 if it is not known; undefined if there is none. The end of a
   * series has none, as with Prometheus.
   */
  find({ count, ids, series, timestamps, values }: BatchColumns): Float64Array | undefined {
    this.#read();
    if (this.#bySeries.size === 0) return undefined;
    const epochs = this.#epochs.all();
    const found = new Float64Array(count);
    for (let place = 0; place < count; place++) {
      const id = ids[place]!;
      const starts = this.#bySeries.get(series.numbers[place]!);
      const storedMs = starts?.findLast(({ firstId }) => firstId <= id)?.startMs;
      if (storedMs === undefined || isEnd(values.specialAt(place))) continue;
      // Corrected as the time of the sample is: both are stored time.
      const startMs = storedMs + (findEpoch(epochs, id)?.offsetMs ?? 0);
      if (startMs >= MIN_TIMESTAMP_MS && startMs <= timestamps.numbers[place]!) found[place] = startMs;
    }
    return found;
  }

  /** Reads the new rows, and what is left of all as soon as that may be half: a start that changes for years takes no memory. */
  #read(): void {
    this.#readNew();
    if (this.#count <= this.#maxCount) return;
    this.#bySeries.clear();
    this.#lastRow = 0;
    this.#count = 0;
    this.#readNew();
    this.#maxCount = 2 * this.#count + MIN_ROWS;
  }

  /** What is unreadable is not known: samples are complete without it. */
  #readNew(): void {
    for (const { id, seriesId, firstId, startMs } of this.#rows.all(this.#lastRow)) {
      this.#lastRow = id;
      this.#count += 1;
      if (!isCount(seriesId) || !isCount(firstId)) continue;
      const start = { firstId, startMs: isOffset(startMs) ? startMs : undefined };
      const starts = this.#bySeries.get(seriesId);
      if (starts === undefined) this.#bySeries.set(seriesId, [start]);
      else starts.push(start);
    }
  }
}

function isEnd(special: Uint8Array | undefined): boolean {
  return special !== undefined && readStoredValue(Buffer.from(special)) === STALE_MARKER;
}
