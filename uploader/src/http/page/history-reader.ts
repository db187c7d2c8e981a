import { EpochRanges, findEpoch } from '@thugshells/shared/database/epochs.ts';
import { openDatabase, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { readStoredValue } from '@thugshells/shared/metrics/sample-value.ts';
import { MAX_DATE_MS, isTextByName, parseStored } from '@thugshells/shared/state/stored-values.ts';

import type { DeviceFacts } from './device-facts.ts';
import { DeviceReader } from './device-reader.ts';
import { PlotSet, type KnownSeries, type Plot } from './plot-set.ts';
import { PLOTS, RANGES_HOURS, type HistoryQuery } from './plots.ts';

/** The main series over a range that ends now. */
export interface History {
  /** Unix seconds. */
  readonly from: number;
  readonly to: number;
  /** Whether there are rows in the range that are not read yet: then its older part is missing. */
  readonly isCutShort: boolean;
  /** The time from which on rows are read, Unix seconds. */
  readonly readFrom: number;
  readonly plots: readonly Plot[];
}

interface StoredRow {
  readonly id: number;
  readonly storedMs: number;
  readonly seriesId: number;
  readonly value: unknown;
}

const HOUR_MS = 3_600_000;
/** A device that has just begun to collect shows at least this much. */
const MIN_RANGE_MS = 5 * 60_000;
/** Rows are read in slices, newest first: the index covers all series, so a slice costs its rows of every series. */
const SLICE_MS = 30_000;
/** The next request continues where this one ended. */
const TIME_LIMIT_MS = 300;
const MAX_ROWS = 50_000;
/** As many as a plot of a phone's width can show. */
const BUCKETS = 240;
/** The queries whose buckets are kept. */
const MAX_RANGES = 3;

/** What was read of one range. */
interface ReadRange {
  readonly basis: string;
  readonly set: PlotSet;
  readonly seriesIds: string;
  /** Stored times, milliseconds: the rows after `bottomMs` up to `topMs` are in the set. */
  topMs: number;
  bottomMs: number;
}

/** Reads series from the database into buckets, on a thread of its own. A range is completed over several requests. */
export class HistoryReader {
  readonly #database: Database;
  readonly #series: Statement<[string], { id: number; name: string; tags: unknown }>;
  readonly #ends: Statement<[], { id: number; storedMs: number }>;
  readonly #later: Statement<[number, number, string], StoredRow>;
  readonly #earlier: Statement<[number, number, string], StoredRow>;
  readonly #epochs: EpochRanges;
  readonly #device: DeviceReader;
  readonly #ranges = new Map<string, ReadRange>();

  constructor(path: string) {
    this.#database = openDatabase(path, { readonly: true });
    this.#series = this.#database.prepare(
      'SELECT id, name, tags FROM series WHERE value_type = 0 AND name IN (SELECT value FROM json_each(?)) ORDER BY name, tags',
    );
    const end = (order: string) =>
      `SELECT * FROM (SELECT id, timestamp_ms AS storedMs FROM samples
       WHERE timestamp_ms BETWEEN 0 AND ${MAX_DATE_MS} ORDER BY timestamp_ms ${order} LIMIT 1)`;
    this.#ends = this.#database.prepare(`${end('ASC')} UNION ALL ${end('DESC')}`);
    const slice = (order: string) =>
      `SELECT id, timestamp_ms AS storedMs, series_id AS seriesId, value FROM samples
       WHERE timestamp_ms > ? AND timestamp_ms <= ? AND series_id IN (SELECT value FROM json_each(?)) ORDER BY timestamp_ms ${order}`;
    this.#later = this.#database.prepare(slice('ASC'));
    this.#earlier = this.#database.prepare(slice('DESC'));
    this.#epochs = new EpochRanges(this.#database);
    this.#device = new DeviceReader(this.#database);
  }

  /** Returns what the newest samples have on the device; undefined if nothing was stored yet. */
  readDevice(): DeviceFacts | undefined {
    return this.#device.read();
  }

  /**
   * @param nowMs end of the range, Unix milliseconds
   * @param monotonic clock for the time limit, milliseconds
   */
  read(query: HistoryQuery, nowMs: number, monotonic: () => number): History {
    const rangeMs = query.hours * HOUR_MS;
    const [oldest, newest] = this.#ends.all();
    if (oldest === undefined || newest === undefined) return emptyHistory(nowMs, MIN_RANGE_MS);
    const epochs = this.#epochs.all();
    const toCorrected = ({ id, storedMs }: { readonly id: number; readonly storedMs: number }): number =>
      storedMs + (findEpoch(epochs, id)?.offsetMs ?? 0);
    const shownMs = Math.max(MIN_RANGE_MS, Math.min(rangeMs, nowMs - toCorrected(oldest)));
    const range = this.#findRange(query, shownMs, newest.storedMs);
    const isComplete = this.#extend(range, Math.max(newest.storedMs - rangeMs, oldest.storedMs - 1), {
      newestMs: newest.storedMs,
      isLate: createLimit(monotonic),
      add: (row, isLater) => {
        const atMs = toCorrected(row);
        if (!isValue(row.value) || atMs > nowMs + SLICE_MS || atMs <= nowMs - rangeMs) return;
        range.set.add(row.seriesId, { atMs, value: toNumber(row.value) }, isLater);
      },
    });
    const from = nowMs - shownMs;
    const offsetMs = toCorrected(newest) - newest.storedMs;
    const readFrom = isComplete ? from : Math.max(from, range.bottomMs + offsetMs);
    const plots = range.set.toPlots(from);
    return { from: from / 1000, to: nowMs / 1000, isCutShort: !isComplete, readFrom: readFrom / 1000, plots };
  }

  close(): void {
    this.#database.close();
  }

  /** Returns what was read of a range before, if rows of the same series have the same times still. */
  #findRange({ hours, parts }: HistoryQuery, shownMs: number, newestMs: number): ReadRange {
    const series = this.#listSeries();
    const step = RANGES_HOURS.find((each) => each * HOUR_MS >= shownMs) ?? hours;
    const basis = JSON.stringify([step, series.map(({ id }) => id), this.#epochs.all()]);
    const key = `${hours} ${parts.join(' ')}`;
    const known = this.#ranges.get(key);
    this.#ranges.delete(key);
    const isUsable = known?.basis === basis && newestMs - known.topMs < HOUR_MS;
    const range = isUsable
      ? known
      : createRange(series, { basis, parts, bucketMs: (step * HOUR_MS) / BUCKETS, newestMs });
    this.#ranges.set(key, range);
    if (this.#ranges.size > MAX_RANGES) this.#ranges.delete(this.#ranges.keys().next().value!);
    return range;
  }

  #listSeries(): KnownSeries[] {
    return this.#series.all(JSON.stringify(PLOTS.flatMap(({ names }) => names))).flatMap(({ id, name, tags }) => {
      const labels = parseStored(tags, isTextByName);
      return labels === undefined ? [] : [{ id, name, labels }];
    });
  }

  /** Reads what is newer, then what is older down to `endMs`, until the limit; returns whether that was reached. */
  #extend(range: ReadRange, endMs: number, { newestMs, isLate, add }: Extension): boolean {
    for (const row of this.#later.iterate(range.topMs, newestMs, range.seriesIds)) add(row, true);
    range.topMs = newestMs;
    range.set.flush();
    let rows = 0;
    while (range.bottomMs > endMs && !isLate(rows)) {
      const fromMs = Math.max(endMs, range.bottomMs - SLICE_MS);
      for (const row of this.#earlier.iterate(fromMs, range.bottomMs, range.seriesIds)) {
        add(row, false);
        rows += 1;
      }
      range.bottomMs = fromMs;
    }
    range.set.flush();
    return range.bottomMs <= endMs;
  }
}

interface Extension {
  readonly newestMs: number;
  readonly isLate: (rows: number) => boolean;
  readonly add: (row: StoredRow, isLater: boolean) => void;
}

function createRange(
  series: readonly KnownSeries[],
  options: {
    readonly basis: string;
    readonly parts: readonly string[];
    readonly bucketMs: number;
    readonly newestMs: number;
  },
): ReadRange {
  const set = new PlotSet(series, options.bucketMs, options.parts);
  const ids = JSON.stringify(set.seriesIds);
  return { basis: options.basis, set, seriesIds: ids, topMs: options.newestMs, bottomMs: options.newestMs };
}

/** Returns whether a read has taken so long, or so many rows, that the rest is for the next one. */
function createLimit(monotonic: () => number): (rows: number) => boolean {
  const startedAt = monotonic();
  return (rows) => monotonic() - startedAt > TIME_LIMIT_MS || rows >= MAX_ROWS;
}

function emptyHistory(nowMs: number, shownMs: number): History {
  const from = (nowMs - shownMs) / 1000;
  return { from, to: nowMs / 1000, isCutShort: false, readFrom: from, plots: [] };
}

function isValue(stored: unknown): boolean {
  return Number.isFinite(stored) || Buffer.isBuffer(stored);
}

/** NaN and the end of a series are a gap, also for the rate of what comes after. */
function toNumber(stored: unknown): number {
  const value = readStoredValue(stored);
  return typeof value === 'number' ? value : NaN;
}
