import { toMetricObject } from '@thugshells/shared/metrics/json-lines.ts';

import { compressGzip } from './gzip.ts';
import type { BodyColumns, BodyFormat, SeriesSegment } from './body-format.ts';
import type { NumericText } from '../rows/numeric-text.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

const utf8 = new TextEncoder();
const BETWEEN = utf8.encode('],"timestamps":[');
const END = utf8.encode(']}\n');
const COMMA = 0x2c;
const FIRST_CAPACITY = 64 * 1024;

/**
 * Writes gzipped lines of VictoriaMetrics' JSON import format from numbers that SQLite has printed, into a buffer that is
 * reused for each body.
 */
export class JsonLinesFormat implements BodyFormat<Uint8Array> {
  /** VictoriaMetrics accepts samples in any order. */
  readonly keepsTimeOrder = false;
  readonly protocol = 'victoriametrics';
  readonly holdsWholeSeries = false;
  readonly hasMetadata = false;
  readonly hasStarts = false;
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  /** Encodes the beginning of a line. */
  encodeHead(series: SeriesRow, text?: string): Uint8Array {
    return utf8.encode(`{"metric":${toMetricObject(series, text)},"values":[`);
  }

  /** Appends a line. */
  write({ head, first, count }: SeriesSegment<Uint8Array>, { values, timestamps, next }: BodyColumns): void {
    this.#append(head);
    this.#appendNumbers(values, next, { first, count });
    this.#append(BETWEEN);
    this.#appendNumbers(timestamps, next, { first, count });
    this.#append(END);
  }

  finish(): Uint8Array {
    const body = compressGzip(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return body;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #appendNumbers(
    { bytes, starts }: NumericText,
    next: Int32Array,
    { first, count }: { first: number; count: number },
  ): void {
    let length = this.#length;
    for (let place = first, left = count; left > 0; place = next[place]!, left--) {
      const start = starts[place]!;
      const end = starts[place + 1]! - 1;
      if (length + end - start + 1 > this.#bytes.length) {
        this.#length = length;
        this.#reserve(end - start + 1);
      }
      const target = this.#bytes;
      if (left < count) target[length++] = COMMA;
      for (let at = start; at < end; at++) target[length++] = bytes[at]!;
    }
    this.#length = length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#length + more, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
