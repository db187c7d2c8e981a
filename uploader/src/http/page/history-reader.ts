import { EpochRanges, findEpoch } from '@thugshells/shared/database/epochs.ts';
import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { readStoredValue } from '@thugshells/shared/metrics/sample-value.ts';
import { MAX_DATE_MS, isTextByName, parseStored } from '@thugshells/shared/state/stored-values.ts';

import { PLOTS, type PlotPoint, type PlotSeries, type PlotSource } from './plots.ts';

/** One plot: each line has a value, or null, at each time. */
export interface Plot {
  readonly title: string;
  readonly unit: PlotSource['unit'];
  /** Corrected times, Unix seconds, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
}

/** The last hour of the main series. */
export interface History {
  /** Unix seconds. */
  readonly from: number;
  readonly to: number;
  /** Whether the hour has more rows than could be read in time: then its older part is missing. */
  readonly isCutShort: boolean;
  readonly plots: readonly Plot[];
}

interface StoredRow {
  readonly id: number;
  readonly storedMs: number;
  readonly seriesId: number;
  readonly value: unknown;
}

const HOUR_MS = 3_600_000;
/** Rows are read in slices, newest first, until the time limit: the index covers all series, so a slice costs its rows of every series. */
const SLICE_MS = 30_000;
const TIME_LIMIT_MS = 300;
/** As many as a plot of a phone's width can show; points closer together are averaged. */
const POINTS = 180;

/** Reads the last hour from the database, on a thread of its own. */
export class HistoryReader {
  readonly #database: Database;
  readonly #series: Statement<[string], { id: number; name: string; tags: unknown }>;
  readonly #newest: Statement<[], number | null>;
  readonly #rows: Statement<[number, number, string], StoredRow>;
  readonly #epochs: EpochRanges;

  constructor(path: string) {
    this.#database = openDatabase(path, { readonly: true });
    this.#series = this.#database.prepare(
      'SELECT id, name, tags FROM series WHERE value_type = 0 AND name IN (SELECT value FROM json_each(?)) ORDER BY name, tags',
    );
    this.#newest = this.#database
      .prepare<[], number | null>(`SELECT MAX(timestamp_ms) FROM samples WHERE timestamp_ms <= ${MAX_DATE_MS}`)
      .pluck();
    this.#rows = this.#database.prepare(
      `SELECT id, timestamp_ms AS storedMs, series_id AS seriesId, value FROM samples
       WHERE timestamp_ms > ? AND timestamp_ms <= ? AND series_id IN (SELECT value FROM json_each(?)) ORDER BY timestamp_ms`,
    );
    this.#epochs = new EpochRanges(this.#database);
  }

  /**
   * @param nowMs end of the hour, Unix milliseconds
   * @param monotonic clock for the time limit, milliseconds
   */
  read(nowMs: number, monotonic: () => number): History {
    const series = this.#series.all(JSON.stringify(PLOTS.flatMap(({ names }) => names)));
    const { rows, isCutShort } = this.#readHour(
      series.map(({ id }) => id),
      monotonic,
    );
    const bySeries = groupBy(this.#correctTimes(rows, nowMs), ({ seriesId }) => seriesId);
    const plots = PLOTS.map((plot) => {
      const own = series.filter(({ name }) => plot.names.includes(name));
      const read = own.flatMap(({ id, name, tags }): PlotSeries[] => {
        const labels = parseStored(tags, isTextByName);
        return labels === undefined ? [] : [{ name, labels, points: bySeries.get(id) ?? [] }];
      });
      return toPlot(plot, read);
    });
    return {
      from: (nowMs - HOUR_MS) / 1000,
      to: nowMs / 1000,
      isCutShort,
      plots: plots.filter(({ times }) => times.length > 1),
    };
  }

  close(): void {
    this.#database.close();
  }

  #readHour(seriesIds: readonly number[], monotonic: () => number): { rows: StoredRow[]; isCutShort: boolean } {
    const newestMs = this.#newest.get() ?? 0;
    const ids = JSON.stringify(seriesIds);
    const startedAt = monotonic();
    const slices: StoredRow[][] = [];
    for (let toMs = newestMs; toMs > newestMs - HOUR_MS; toMs -= SLICE_MS) {
      if (monotonic() - startedAt > TIME_LIMIT_MS) return { rows: slices.reverse().flat(), isCutShort: true };
      slices.push(this.#rows.all(toMs - SLICE_MS, toMs, ids));
    }
    return { rows: slices.reverse().flat(), isCutShort: false };
  }

  /** Converts stored times to corrected times by the epochs, and drops rows that are outside the hour then. */
  #correctTimes(rows: readonly StoredRow[], nowMs: number): { seriesId: number; atMs: number; value: number }[] {
    const epochs = this.#epochs.all();
    return rows
      .filter(
        ({ value, storedMs }) => (Number.isFinite(value) || Buffer.isBuffer(value)) && typeof storedMs === 'number',
      )
      .map(({ id, storedMs, seriesId, value }) => ({
        seriesId,
        atMs: storedMs + (findEpoch(epochs, id)?.offsetMs ?? 0),
        value: toPoint(value),
      }))
      .filter(({ atMs }) => atMs > nowMs - HOUR_MS && atMs <= nowMs + SLICE_MS)
      .sort((a, b) => a.atMs - b.atMs);
  }
}

/** Puts the lines of a plot on common times: the buckets of the hour that have points. */
function toPlot(source: PlotSource, rows: readonly PlotSeries[]): Plot {
  const bucketMs = HOUR_MS / POINTS;
  const lines = source.toLines(rows).map(({ label, points }) => ({
    label,
    buckets: groupBy(points, ({ atMs }) => Math.floor(atMs / bucketMs)),
  }));
  const times = [...new Set(lines.flatMap(({ buckets }) => [...buckets.keys()]))].sort((a, b) => a - b);
  return {
    title: source.title,
    unit: source.unit,
    times: times.map((bucket) => (bucket * bucketMs) / 1000),
    lines: lines.map(({ label, buckets }) => ({ label, values: times.map((bucket) => mean(buckets.get(bucket))) })),
  };
}

/** NaN and the end of a series are a gap. */
function toPoint(stored: unknown): number {
  const value = readStoredValue(stored);
  return typeof value === 'number' ? value : NaN;
}

function mean(points: readonly PlotPoint[] | undefined): number | null {
  const values = points?.flatMap(({ value }) => (Number.isNaN(value) ? [] : [value])) ?? [];
  return values.length === 0
    ? null
    : Number((values.reduce((sum, value) => sum + value, 0) / values.length).toPrecision(5));
}

function groupBy<T>(items: readonly T[], toKey: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(toKey(item));
    if (group === undefined) groups.set(toKey(item), [item]);
    else group.push(item);
  }
  return groups;
}
