import { gzipSync } from 'node:zlib';

import { metricObject } from '@thugshells/shared/json-lines.js';
import { deviceRefusal, labelsRefusal, nameRefusal, ValueType } from '@thugshells/shared/sample.js';

import { columnsOf, columnsOfSound, type Columns, type RefusedRow } from './batch-columns.js';
import { cutIntoChunks, idsOfParts, linesOf, type KnownSeries, type Line, type LinePart } from './batch-lines.js';
import { beginningOfLine, BodyWriter, type BodyColumns } from './body-writer.js';
import { rangesOf, type IdRange } from './id-ranges.js';
import type { RowReader } from './row-reader.js';

/** One gzip body: what is posted and acknowledged as a whole. */
export interface Chunk {
  readonly body: Uint8Array;
  /** How many samples it holds. */
  readonly count: number;
  /** Ids of its samples in body order, the order in which a receiver counts them. */
  readonly ids: Float64Array;
  /** The same ids as ranges; they may also hold ids of rows that do not exist. */
  readonly ranges: readonly IdRange[];
}

/** Which rows are to be encoded, and how. */
export interface EncodeRequest {
  /** Where the rows are; ids of deleted rows may lie between. */
  readonly ranges: readonly IdRange[];
  /** No more rows than this, from the first range on. */
  readonly batchMetrics: number;
  /** Samples in a chunk. */
  readonly chunkMetrics: number;
  readonly nowMs: number;
}

/** What became of a batch's rows. */
export interface EncodedBatch {
  /** Where its rows are. */
  readonly ranges: readonly IdRange[];
  readonly chunks: readonly Chunk[];
  /** Rows that a receiver would answer with 204 and then drop; they are not in any chunk. */
  readonly refused: readonly RefusedRow[];
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
  readonly #writer = new BodyWriter();

  constructor(reader: RowReader) {
    this.#reader = reader;
  }

  encode(request: EncodeRequest): EncodedBatch {
    return this.#reader.inSnapshot(() => this.#encode(request));
  }

  #encode({ chunkMetrics, nowMs, ...request }: EncodeRequest): EncodedBatch {
    const latestMs = nowMs + MAX_AHEAD_MS;
    const { ranges, printed } = this.#reader.firstRows(request.ranges, request.batchMetrics);
    const { columns, refused: unsound } = (printed && columnsOf(printed, latestMs)) ?? columnsOfSound(this.#reader.rows(ranges), latestMs);
    const { lines, next } = linesOf(columns, (id) => this.#series(id));
    const refused = [...unsound];
    const sound: Line[] = [];
    for (const line of lines) {
      const reason = refusalOfLine(line);
      if (reason === undefined) sound.push(line);
      else for (const id of idsOfParts([{ ...line, line }], columns.ids, next)) refused.push({ id, reason });
    }
    const cut = cutIntoChunks({ lines: sound, next }, chunkMetrics);
    // Where one chunk holds the whole batch its ranges are known.
    const known = cut.length === 1 && refused.length === 0 ? ranges : undefined;
    const chunks = cut.map((parts) => this.#chunkOf(parts, { ...columns, next }, known));
    return { ranges, chunks, refused };
  }

  #chunkOf(parts: readonly LinePart[], columns: Columns & BodyColumns, ranges?: readonly IdRange[]): Chunk {
    this.#writer.clear();
    for (const { line, first, count } of parts) {
      const beginning = line.text === undefined ? line.series.beginning : beginningOfLine(metricObject(line.series.row, line.text));
      this.#writer.write({ beginning, first, count }, columns);
    }
    // Copied: small buffers are slices of a pool, which cannot move to another thread.
    const body = new Uint8Array(gzipSync(this.#writer.body, { level: GZIP_LEVEL }));
    const ids = idsOfParts(parts, columns.ids, columns.next);
    return { body, count: ids.length, ids, ranges: ranges ?? rangesOf(ids) };
  }

  #series(id: number): KnownSeries {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = this.#reader.series(id);
    const { name, deviceId, tags, valueType } = row;
    const series = {
      id,
      row,
      isText: valueType === ValueType.text,
      beginning: beginningOfLine(metricObject(row)),
      refusal: nameRefusal(name) ?? deviceRefusal(deviceId) ?? labelsRefusal(tags, valueType),
    };
    this.#known.set(id, series);
    return series;
  }
}

function refusalOfLine({ series, text }: Line): string | undefined {
  if (series.refusal !== undefined) return series.refusal;
  return series.isText === (text !== undefined) ? undefined : `value is not of type ${series.row.valueType}`;
}
