import { toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { findFamily } from '@thugshells/shared/metrics/metric-family.ts';
import { toExportedSeriesName } from '@thugshells/shared/metrics/json-lines.ts';
import { ValueType } from '@thugshells/shared/metrics/sample.ts';
import type { MetricFamily } from '@thugshells/shared/metrics/series.ts';
import { findSeriesRefusal } from '@thugshells/shared/metrics/sample-refusals.ts';
import { findLimitRefusal, findSeriesLimits, type SeriesLimits } from '@thugshells/shared/metrics/series-limits.ts';

import { listChunkSizes, listWholeSeriesSizes } from './list-chunk-sizes.ts';
import { BatchColumns, type RefusedRow } from './rows/batch-columns.ts';
import { SeriesGroups, type GroupedSeries } from './series-groups.ts';
import type { BodyFormat, SeriesDescription } from './formats/body-format.ts';
import { createBodyFormat, type BodyFormatName } from './formats/registry.ts';
import type { Chunk } from '../chunk.ts';
import type { RowReader, SeriesRead, SeriesRow } from './rows/row-reader.ts';

type EncodedChunk = Omit<Chunk, 'ranges' | 'pendingRowsVersion'>;

/** Which rows to encode, and how. */
export interface EncodeRequest {
  /** The ids of the rows; ids of deleted rows may lie between. */
  readonly ranges: readonly IdRange[];
  /** Maximum number of rows, from the first range on. */
  readonly batchMetrics: number;
  readonly format: BodyFormatName;
  /** Samples in the first chunk. */
  readonly chunkMetrics: number;
  /** Samples in each further chunk; by default as many as in the first. */
  readonly furtherChunkMetrics?: number;
  readonly nowMs: number;
  /** Rows with a time before this are refused, Unix milliseconds; −Infinity, the default: none is too old. */
  readonly acceptedSinceMs?: number;
}

/** A batch of rows, encoded. */
export interface EncodedBatch {
  /** The ids of its rows. */
  readonly ranges: readonly IdRange[];
  readonly chunks: readonly Chunk[];
  /** Rows that are in no chunk, because a receiver would respond with 204 and then drop them. */
  readonly refused: readonly RefusedRow[];
  /** Time of the oldest row that has one, also if it is too old; Unix milliseconds, Infinity for none. */
  readonly earliestMs: number;
}

/** Why samples of a series are refused whose row, and its copy, are unreadable: in quarantine they wait for a repair. */
const UNREADABLE_SERIES = 'the name and labels of its series cannot be read';
/** VictoriaMetrics drops samples more than two days ahead of its clock, and responds with 204. */
const MAX_AHEAD_MS = 2 * 86_400_000;
/** Receivers keep metadata in memory, some only for a while. */
const METADATA_INTERVAL_MS = 3_600_000;

/** Encodes rows as bodies: sorts a batch by series and time, so that a series' samples are adjacent, and cuts it into chunks. */
export class Encoder {
  readonly #reader: RowReader;
  readonly #columns = new BatchColumns();
  readonly #lines = new SeriesGroups();
  /** Of the last request, with the series that have been read for it: their heads are encoded in its format. */
  #format: BodyFormat = createBodyFormat('json-lines');
  #formatName: BodyFormatName = 'json-lines';
  readonly #known = new Map<number, GroupedSeries>();
  #families: ReadonlyMap<string, MetricFamily> = new Map();
  /** When the families were read; from then on each series is described once. */
  #describedAtMs = -Infinity;

  constructor(reader: RowReader) {
    this.#reader = reader;
  }

  encode(request: EncodeRequest): EncodedBatch {
    if (request.format !== this.#formatName) this.#changeFormat(request.format);
    return this.#reader.inSnapshot(() => {
      this.#beginDescribing(request.nowMs);
      return this.#encode(request);
    });
  }

  #changeFormat(name: BodyFormatName): void {
    this.#format = createBodyFormat(name);
    this.#formatName = name;
    this.#known.clear();
    this.#describedAtMs = -Infinity;
  }

  /** Forgets the series from time to time: those that are read again are described again. */
  #beginDescribing(nowMs: number): void {
    if (!this.#format.hasMetadata || Math.abs(nowMs - this.#describedAtMs) < METADATA_INTERVAL_MS) return;
    this.#known.clear();
    this.#describedAtMs = nowMs;
  }

  #encode(request: EncodeRequest): EncodedBatch {
    const accepted = {
      earliestMs: request.acceptedSinceMs ?? -Infinity,
      latestMs: request.nowMs + MAX_AHEAD_MS,
      protocol: this.#format.protocol,
    };
    const { ranges, printed } = this.#reader.firstRows(request.ranges, request.batchMetrics);
    const areSound = printed !== undefined && this.#columns.readPrinted(printed, accepted);
    const refused = areSound ? [] : this.#columns.readSound(this.#reader.rows(ranges), accepted);
    this.#lines.sort(this.#columns, (id) => this.#series(id));
    if (this.#format.keepsTimeOrder) refused.push(...this.#refuseRepeats());
    const soundLines = this.#lines.order.filter((line) => {
      const reason = this.#findRefusal(line);
      if (reason !== undefined) refused.push(...this.#listIds(line).map((id) => ({ id, reason })));
      return reason === undefined;
    });
    const chunks = this.#cutIntoChunks(soundLines, request);
    this.#columns.release();
    // If one chunk holds the whole batch, its ranges are known.
    const isWhole = chunks.length === 1 && refused.length === 0;
    const pendingRowsVersion = this.#reader.readPendingRowsVersion();
    return {
      ranges,
      chunks: chunks.map((chunk) => ({ ...chunk, ranges: isWhole ? ranges : toRanges(chunk.ids), pendingRowsVersion })),
      refused,
      earliestMs: this.#columns.earliestMs,
    };
  }

  /** Cuts lines into chunks; the last one may be smaller than the others. */
  #cutIntoChunks(lines: readonly number[], request: EncodeRequest): EncodedChunk[] {
    const { first, samples, next, seriesIds } = this.#lines;
    const { values, timestamps } = this.#columns;
    const starts = this.#format.hasStarts ? this.#reader.startTimes.find(this.#columns) : undefined;
    const columns = { values, timestamps, next, starts };
    const chunks: EncodedChunk[] = [];
    const listSizes = this.#format.holdsWholeSeries ? listWholeSeriesSizes : listChunkSizes;
    const sizes = listSizes(
      lines.map((line) => samples[line]!),
      request,
    );
    let ids = new Float64Array();
    let series: { id: number; start: number }[] = [];
    let filled = 0;
    for (const line of lines) {
      const head = this.#encodeHead(line);
      let place = first[line]!;
      for (let rest = samples[line]!; rest > 0;) {
        if (filled === ids.length) {
          ids = new Float64Array(sizes[chunks.length]!);
          series = [];
          filled = 0;
        }
        series.push({ id: seriesIds[line]!, start: filled });
        const count = Math.min(rest, ids.length - filled);
        this.#format.write({ head, first: place, count }, columns);
        for (let index = 0; index < count; index++, place = next[place]!) ids[filled++] = this.#columns.ids[place]!;
        rest -= count;
        if (filled === ids.length)
          chunks.push({ body: this.#format.finish(), format: this.#formatName, count: filled, ids, series });
      }
    }
    return chunks;
  }

  /** Sorts each series by time; returns the samples that repeat the time of the one before them. */
  #refuseRepeats(): RefusedRow[] {
    const places = this.#lines.orderByTime(this.#columns.timestamps.numbers);
    return places.map((place) => ({
      id: this.#columns.ids[place]!,
      reason: 'its series has another sample at the same time',
    }));
  }

  #encodeHead(line: number): unknown {
    const { row, head, description } = this.#lines.series[line]!;
    return row === undefined ? head : this.#format.encodeHead(row, this.#lines.texts[line], description);
  }

  #findRefusal(line: number): string | undefined {
    const { refusal, valueType, row } = this.#lines.series[line]!;
    if (refusal !== undefined) return refusal;
    const text = this.#lines.texts[line];
    if ((text !== undefined) !== (valueType === ValueType.text)) return `value is not of type ${valueType}`;
    // A text is sent as a label, so each text is checked.
    return row === undefined ? undefined : findLimitRefusal(row, text, this.#limits);
  }

  get #limits(): SeriesLimits {
    return findSeriesLimits(this.#format.protocol);
  }

  /** Lists the ids of the samples of a line. */
  #listIds(line: number): number[] {
    const ids: number[] = [];
    for (
      let place = this.#lines.first[line]!;
      ids.length < this.#lines.samples[line]!;
      place = this.#lines.next[place]!
    ) {
      ids.push(this.#columns.ids[place]!);
    }
    return ids;
  }

  /** Returns a series, cached. An unknown series is rarely alone, so all that are new are read. */
  #series(id: number): GroupedSeries {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    if (this.#format.hasMetadata) this.#families = this.#reader.families();
    for (const row of this.#reader.seriesFrom(this.#known.size === 0 ? 0 : id))
      this.#known.set(row.id, this.#toGroupedSeries(row));
    const found = this.#known.get(id) ?? this.#toGroupedSeries(this.#reader.copiedSeries(id));
    this.#known.set(id, found);
    return found;
  }

  #describe(row: SeriesRow): SeriesDescription | undefined {
    const family = findFamily(this.#families, toExportedSeriesName(row));
    return family && { family };
  }

  #toGroupedSeries(row: SeriesRead): GroupedSeries {
    if (row.name === undefined)
      return { valueType: ValueType.number, head: undefined, row: undefined, refusal: UNREADABLE_SERIES };
    const isText = row.valueType === ValueType.text;
    const description = this.#describe(row);
    return {
      valueType: row.valueType,
      head: isText ? undefined : this.#format.encodeHead(row, undefined, description),
      row: isText ? row : undefined,
      description: isText ? description : undefined,
      refusal: findSeriesRefusal(row) ?? (isText ? undefined : findLimitRefusal(row, undefined, this.#limits)),
    };
  }
}
