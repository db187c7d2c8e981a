import type { PbfWriter } from 'pbf';

import { toExportedLabels, type LineIdentity } from '@thugshells/shared/metrics/json-lines.ts';
import type { MetricType } from '@thugshells/shared/metrics/series.ts';

import type { BodyColumns, SeriesSegment } from './body-format.ts';

/** As both versions number them. */
export const METRIC_TYPE_NUMBERS: Readonly<Record<MetricType, number>> = {
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
};

/** Field 2 of a TimeSeries, in both versions. */
const SAMPLES = 2;
const VALUE = 1;
const TIMESTAMP = 2;
/** Of 2.0 alone. */
const START_TIMESTAMP = 3;
/** The wire type of eight bytes, least significant first. */
const FIXED_64 = 1;
const utf8 = new TextEncoder();

/** One Sample message, used again for each. */
interface SampleMessage {
  value: number;
  /** The bytes of a value that has no number, most significant first. */
  special: Uint8Array | undefined;
  timestampMs: number;
  /** 0 if it is not known. */
  startMs: number;
}

/**
 * Returns a series' labels as remote write requires them: sorted by the bytes of their names, as Go sorts them, and without
 * empty values, which to Prometheus mean that the label is absent.
 */
export function sortLabels(series: LineIdentity, text?: string): [name: string, value: string][] {
  const labels = toExportedLabels(series, text).filter(([, value]) => value !== '');
  return labels.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/**
 * Writes a text. pbf's writeString encodes characters beyond U+20000 as those one plane below, so that two labels may become
 * one.
 */
export function writeText(field: number, text: string, writer: PbfWriter): void {
  writer.writeBytesField(field, utf8.encode(text));
}

/** Writes the samples of a TimeSeries. */
export function writeSamples(
  { first, count }: SeriesSegment<unknown>,
  { values, timestamps, next, starts }: BodyColumns,
  writer: PbfWriter,
): void {
  const sample: SampleMessage = { value: 0, special: undefined, timestampMs: 0, startMs: 0 };
  for (let place = first, left = count; left > 0; place = next[place]!, left--) {
    sample.special = values.specialAt(place);
    if (sample.special === undefined) sample.value = values.numberAt(place);
    sample.timestampMs = timestamps.numbers[place]!;
    if (starts !== undefined) sample.startMs = starts[place]!;
    writer.writeMessage(SAMPLES, writeSample, sample);
  }
}

/** Returns the bytes written so far; valid until the writer writes again. */
export function written(writer: PbfWriter): Uint8Array {
  return writer.buf.subarray(0, writer.pos);
}

function writeSample({ value, special, timestampMs, startMs }: SampleMessage, writer: PbfWriter): void {
  if (special === undefined) writer.writeDoubleField(VALUE, value);
  else writeSpecial(special, writer);
  writer.writeVarintField(TIMESTAMP, timestampMs);
  if (startMs !== 0) writer.writeVarintField(START_TIMESTAMP, startMs);
}

/** Writes the bytes of a double as they are: as a JavaScript number a NaN may lose its payload. */
function writeSpecial(special: Uint8Array, writer: PbfWriter): void {
  writer.writeTag(VALUE, FIXED_64);
  writer.realloc(special.length);
  for (let at = special.length - 1; at >= 0; at--) writer.buf[writer.pos++] = special[at]!;
}
