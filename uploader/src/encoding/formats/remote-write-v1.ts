import { PbfWriter } from 'pbf';
import { compress } from 'snappyjs';

import type { MetricFamily } from '@thugshells/shared/metrics/series.ts';

import type { BodyColumns, BodyFormat, SeriesDescription, SeriesSegment } from './body-format.ts';
import { METRIC_TYPE_NUMBERS, sortLabels, writeSamples, writeText, written } from './protobuf.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Fields of WriteRequest, TimeSeries and Label. */
const TIMESERIES = 1;
const METADATA = 3;
const LABELS = 1;
const NAME = 1;
const VALUE = 2;
/** Fields of MetricMetadata. */
const TYPE = 1;
const FAMILY_NAME = 2;
const HELP = 4;
const UNIT = 5;

/** The labels of a TimeSeries, and the family whose metadata the message contains once. */
interface Head {
  readonly labels: Uint8Array;
  readonly family: MetricFamily | undefined;
}

/**
 * Writes `prometheus.WriteRequest`, the message of Prometheus remote write 1.0, compressed by snappy in its block format.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/
 */
export class RemoteWriteV1Format implements BodyFormat<Head> {
  readonly keepsTimeOrder = true;
  readonly protocol = 'remote-write';
  readonly holdsWholeSeries = true;
  readonly hasMetadata = true;
  readonly hasStarts = false;
  readonly #writer = new PbfWriter();
  readonly #described = new WeakSet<MetricFamily>();

  /** Encodes the labels of a TimeSeries. */
  encodeHead(series: SeriesRow, text?: string, description?: SeriesDescription): Head {
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
    return { labels: written(writer).slice(), family: description?.family };
  }

  write(part: SeriesSegment<Head>, columns: BodyColumns): void {
    const { family } = part.head;
    if (family !== undefined && !this.#described.has(family)) {
      this.#described.add(family);
      this.#writer.writeMessage(METADATA, writeMetadata, family);
    }
    this.#writer.writeMessage(
      TIMESERIES,
      ({ head: { labels } }, message) => {
        message.realloc(labels.length);
        message.buf.set(labels, message.pos);
        message.pos += labels.length;
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

function writeMetadata({ name, type, help, unit }: MetricFamily, writer: PbfWriter): void {
  writer.writeVarintField(TYPE, METRIC_TYPE_NUMBERS[type]);
  writeText(FAMILY_NAME, name, writer);
  writeText(HELP, help, writer);
  writeText(UNIT, unit, writer);
}
