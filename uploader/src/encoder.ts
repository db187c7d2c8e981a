import { gzipSync } from 'node:zlib';

import { jsonLine, metricObject } from '@thugshells/shared/json-lines.js';
import { deviceRefusal, labelsRefusal, nameRefusal, timestampRefusal, ValueType, valueRefusal } from '@thugshells/shared/sample.js';

import { rangesOf, type IdRange } from './id-ranges.js';
import type { Group, RowReader, Selection, SeriesRow } from './row-reader.js';

/** One gzip body: what is posted and acknowledged as a whole. */
export interface Chunk {
  readonly body: Uint8Array;
  /** How many samples it holds. */
  readonly count: number;
  /**
   * Ids of its samples in body order, the order in which a receiver counts them, joined by commas: they are asked for
   * only where a part of the chunk was taken, and to read them takes a third of the time of all the rest.
   */
  readonly idList: string;
  /** The same ids as ranges; they may also hold ids of rows that do not exist. */
  readonly ranges: readonly IdRange[];
}

/** Which rows are to be encoded, and how. */
export interface EncodeRequest {
  readonly ranges: readonly IdRange[];
  /** How many rows there were in these ranges when they were chosen. */
  readonly count: number;
  /** Samples in a chunk. */
  readonly chunkMetrics: number;
  readonly nowMs: number;
}

/** What became of a batch's rows. */
export interface EncodedBatch {
  readonly chunks: readonly Chunk[];
  /** Rows that a receiver would answer with 204 and then drop; they are not in any chunk. */
  readonly refused: readonly RefusedRow[];
}

interface RefusedRow {
  readonly id: number;
  readonly reason: string;
}

/** A series as its lines need it, worked out once. */
interface KnownSeries {
  readonly row: SeriesRow;
  readonly isText: boolean;
  /** The metric object of its lines; of a text series it depends on the text. */
  readonly metric: string;
  /** Why none of its samples can be sent. */
  readonly refusal: string | undefined;
}

/** VictoriaMetrics drops what lies more than two days ahead of its clock, and answers 204. */
const MAX_AHEAD_MS = 2 * 86_400_000;
/** The fastest level: on the boards this runs on, gzip's time costs more than the last few per cent of size. */
const GZIP_LEVEL = 1;

/**
 * Rows → gzipped JSON lines: the batch is sorted by series and time, so that a series' samples share a line, and then
 * cut into chunks.
 */
export class Encoder {
  readonly #reader: RowReader;
  readonly #known = new Map<number, KnownSeries>();

  constructor(reader: RowReader) {
    this.#reader = reader;
  }

  encode(request: EncodeRequest): EncodedBatch {
    return this.#reader.inSnapshot(() => this.#encode(request));
  }

  #encode({ ranges, count, chunkMetrics, nowMs }: EncodeRequest): EncodedBatch {
    const selection = { ranges, latestMs: nowMs + MAX_AHEAD_MS };
    const all = this.#groups(selection, count > chunkMetrics ? chunkMetrics : undefined);
    const refusals = all.map((group) => this.#refusalOf(group));
    const sound = all.filter((_, index) => refusals[index] === undefined);
    const refused = all.flatMap((group, index) => {
      const reason = refusals[index];
      return reason === undefined ? [] : [...idsIn({ idList: group.ids })].map((id) => ({ id, reason }));
    });
    const found = all.reduce((sum, group) => sum + group.count, 0);
    if (found < count) refused.push(...this.#unsoundRows(selection));
    const isWholeBatch = count <= chunkMetrics && refused.length === 0;
    return { chunks: this.#chunksOf(sound, isWholeBatch ? ranges : undefined), refused };
  }

  #groups(selection: Selection, chunkMetrics: number | undefined): Group[] {
    const plain = chunkMetrics === undefined ? this.#reader.plainGroups(selection) : undefined;
    return plain ?? this.#reader.groups(selection, chunkMetrics);
  }

  /** Stored rows may be older than the rules: those of the first versions were never checked. */
  #refusalOf({ seriesId, text }: Group): string | undefined {
    const { refusal, isText, row } = this.#series(seriesId);
    if (refusal !== undefined) return refusal;
    if (isText !== (text !== undefined)) return `value is not of type ${row.valueType}`;
    return text === undefined ? undefined : valueRefusal(text);
  }

  #unsoundRows(selection: Selection): RefusedRow[] {
    return this.#reader.unsound(selection).map(({ id, timestampMs, value }) => ({
      id,
      reason: valueRefusal(value) ?? timestampRefusal(timestampMs) ?? 'more than two days in the future',
    }));
  }

  /** @param ranges those of the batch, where one chunk holds all of it: finding them again would cost as much as the rest */
  #chunksOf(groups: readonly Group[], ranges: readonly IdRange[] | undefined): Chunk[] {
    const chunks: Chunk[] = [];
    for (let start = 0; start < groups.length; ) {
      let end = start;
      while (end < groups.length && groups[end]!.chunk === groups[start]!.chunk) end += 1;
      chunks.push(this.#chunkOf(groups.slice(start, end), ranges));
      start = end;
    }
    return chunks;
  }

  #chunkOf(groups: readonly Group[], ranges: readonly IdRange[] | undefined): Chunk {
    let text = '';
    let count = 0;
    for (const group of groups) {
      count += group.count;
      const { metric, row } = this.#series(group.seriesId);
      text += jsonLine(group.text === undefined ? metric : metricObject(row, group.text), group.values, group.timestamps);
    }
    // Copied: small buffers are slices of a pool, which cannot move to another thread.
    const body = new Uint8Array(gzipSync(text, { level: GZIP_LEVEL }));
    const chunk = { body, count, idList: groups.map(({ ids }) => ids).join() };
    return { ...chunk, ranges: ranges ?? rangesOf(idsIn(chunk)) };
  }

  #series(id: number): KnownSeries {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = this.#reader.series(id);
    const { name, deviceId, tags, valueType } = row;
    const series = {
      row,
      isText: valueType === ValueType.text,
      metric: metricObject(row),
      refusal: nameRefusal(name) ?? deviceRefusal(deviceId) ?? labelsRefusal(tags, valueType),
    };
    this.#known.set(id, series);
    return series;
  }
}

/** The ids of a chunk's samples, in body order. */
export function idsIn({ idList }: Pick<Chunk, 'idList'>): Float64Array {
  return Float64Array.from(idList.split(','), Number);
}
