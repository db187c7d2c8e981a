import { PbfWriter } from 'pbf';
import { compress } from 'snappyjs';

import { findSeriesLimits } from '@thugshells/shared/metrics/series-limits.ts';

import type { BodyColumns, BodyFormat, SeriesSegment } from './body-format.ts';
import { sortLabels, writeSamples, writeText, written } from './protobuf.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Fields of WriteRequest, TimeSeries and Label. */
const TIMESERIES = 1;
const LABELS = 1;
const NAME = 1;
const VALUE = 2;

/**
 * Writes `prometheus.WriteRequest`, the message of Prometheus remote write 1.0, compressed by snappy in its block format.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/
 */
export class RemoteWriteV1Format implements BodyFormat<Uint8Array> {
  readonly keepsTimeOrder = true;
  readonly limits = findSeriesLimits('remote-write');
  readonly #writer = new PbfWriter();

  /** Encodes the labels of a TimeSeries. */
  encodeHead(series: SeriesRow, text?: string): Uint8Array {
    const writer = new PbfWriter();
    for (const label of sortLabels(series, text)) {
      writer.writeMessage(
        LABELS,
        ([name, value], message) => {
          writeText(NAME, name, message);
          writeText(VALUE, value, message);
        },
        label,
      );
    }
    return written(writer).slice();
  }

  write(part: SeriesSegment<Uint8Array>, columns: BodyColumns): void {
    this.#writer.writeMessage(
      TIMESERIES,
      ({ head }, message) => {
        message.realloc(head.length);
        message.buf.set(head, message.pos);
        message.pos += head.length;
        writeSamples(part, columns, message);
      },
      part,
    );
  }

  finish(): Uint8Array {
    const body = compress(written(this.#writer));
    this.#writer.pos = 0;
    return body;
  }
}
