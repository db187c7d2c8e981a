import { gzipSync } from 'node:zlib';

import { jsonLine, metricObject } from '@thugshells/shared/json-lines.js';
import { deviceRefusal, labelsRefusal, nameRefusal, timestampRefusal, ValueType, valueRefusal } from '@thugshells/shared/sample.js';

import type { Row, SeriesRow } from './row-reader.js';

/** One gzip body: what is posted and acknowledged as a whole. */
export interface Chunk {
  readonly body: Uint8Array;
  /** Ids of its samples in body order, the order in which a receiver counts them. */
  readonly ids: Float64Array;
}

/** What became of a batch's rows. */
export interface EncodedBatch {
  readonly chunks: readonly Chunk[];
  /** Rows that a receiver would answer with 204 and then drop; they are not in any chunk. */
  readonly refused: readonly { readonly id: number; readonly reason: string }[];
}

export interface EncodeOptions {
  /** Samples in a chunk. */
  readonly chunkMetrics: number;
  readonly nowMs: number;
  readonly series: (id: number) => SeriesRow;
}

/** VictoriaMetrics drops what lies more than two days ahead of its clock, and answers 204. */
const MAX_AHEAD_MS = 2 * 86_400_000;
/** The fastest level: on the boards this runs on, gzip's time costs more than the last few per cent of size. */
const GZIP_LEVEL = 1;

/** Samples of one series (and, of a text series, of one text) that share a line. */
interface Line {
  readonly metric: string;
  readonly ids: number[];
  readonly values: number[];
  readonly timestamps: number[];
}

/**
 * Rows → gzipped JSON lines: the batch is sorted by series and time, so that a series' samples share a line, and then
 * cut into chunks.
 *
 * @param rows in the order of their ids, which within a series is the order of time
 */
export function encode(rows: readonly Row[], options: EncodeOptions): EncodedBatch {
  const refused: { id: number; reason: string }[] = [];
  const sound = rows.filter((row) => {
    const reason = refusalOf(row, options);
    if (reason !== undefined) refused.push({ id: row.id, reason });
    return reason === undefined;
  });
  const sorted = bySeries(sound);
  const chunks: Chunk[] = [];
  for (let start = 0; start < sorted.length; start += options.chunkMetrics) {
    chunks.push(chunkOf(linesOf(sorted.slice(start, start + options.chunkMetrics), options.series)));
  }
  return { chunks, refused };
}

/** Stored rows may be older than the rules: those of the first versions were never checked. */
function refusalOf(row: Row, { nowMs, series }: EncodeOptions): string | undefined {
  const { name, deviceId, tags, valueType } = series(row.seriesId);
  const refusal =
    nameRefusal(name) ??
    deviceRefusal(deviceId) ??
    timestampRefusal(row.timestampMs) ?? valueRefusal(row.value) ?? labelsRefusal(tags, valueType);
  if (refusal !== undefined) return refusal;
  if ((valueType === ValueType.text) !== (typeof row.value === 'string')) return `value is not of type ${valueType}`;
  return row.timestampMs > nowMs + MAX_AHEAD_MS ? 'more than two days in the future' : undefined;
}

function bySeries(rows: readonly Row[]): Row[] {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.seriesId);
    if (group === undefined) groups.set(row.seriesId, [row]);
    else group.push(row);
  }
  return [...groups.keys()].sort((a, b) => a - b).flatMap((id) => groups.get(id) ?? []);
}

function linesOf(rows: readonly Row[], series: (id: number) => SeriesRow): Line[] {
  const lines: Line[] = [];
  let previous: Row | undefined;
  for (const row of rows) {
    const text = typeof row.value === 'string' ? row.value : undefined;
    const continues = previous?.seriesId === row.seriesId && (text === undefined || text === previous.value);
    if (!continues) lines.push({ metric: metricObject(series(row.seriesId), text), ids: [], values: [], timestamps: [] });
    const line = lines.at(-1)!;
    line.ids.push(row.id);
    line.values.push(text === undefined ? (row.value as number) : 1);
    line.timestamps.push(row.timestampMs);
    previous = row;
  }
  return lines;
}

function chunkOf(lines: readonly Line[]): Chunk {
  const text = lines.map(({ metric, values, timestamps }) => jsonLine(metric, values, timestamps)).join('');
  return {
    // Copied: small buffers are slices of a pool, which cannot move to another thread.
    body: new Uint8Array(gzipSync(text, { level: GZIP_LEVEL })),
    ids: Float64Array.from(lines.flatMap((line) => line.ids)),
  };
}
