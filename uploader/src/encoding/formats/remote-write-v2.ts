import { PbfWriter } from 'pbf';
import { compress } from 'snappyjs';

import type { BodyColumns, BodyFormat, SeriesDescription, SeriesSegment } from './body-format.ts';
import { METRIC_TYPE_NUMBERS, sortLabels, writeSamples, writeText, written } from './protobuf.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Fields of Request and TimeSeries. */
const SYMBOLS = 4;
const TIMESERIES = 5;
const LABELS_REFS = 1;
const METADATA = 5;
/** Fields of Metadata. */
const TYPE = 1;
const HELP_REF = 3;
const UNIT_REF = 4;

/** Names and values of the labels, alternating, and the metadata that the message contains once. */
interface Head {
  readonly labels: readonly string[];
  readonly description: SeriesDescription | undefined;
}

/**
 * Writes `io.prometheus.write.v2.Request`, the message of Prometheus remote write 2.0, compressed by snappy in its block
 * format: each label name and value is stored once in a table, and the series refer to it by number.
 * https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
export class RemoteWriteV2Format implements BodyFormat<Head> {
  readonly keepsTimeOrder = true;
  readonly protocol = 'remote-write';
  readonly holdsWholeSeries = true;
  readonly hasMetadata = true;
  readonly hasStarts = true;
  readonly #series = new PbfWriter();
  readonly #symbols = new Map<string, number>();
  readonly #described = new WeakSet<SeriesDescription>();

  encodeHead(series: SeriesRow, text?: string, description?: SeriesDescription): Head {
    return { labels: sortLabels(series, text).flat(), description };
  }

  write(part: SeriesSegment<Head>, columns: BodyColumns): void {
    this.#series.writeMessage(
      TIMESERIES,
      ({ head: { labels, description } }, message) => {
        message.writePackedVarint(
          LABELS_REFS,
          labels.map((symbol) => this.#toReference(symbol)),
        );
        writeSamples(part, columns, message);
        if (description !== undefined && !this.#described.has(description)) this.#writeMetadata(description, message);
      },
      part,
    );
  }

  /** Returns the body. Without samples it is a request without series, which tests whether the receiver supports 2.0. */
  finish(): Uint8Array {
    const table = new PbfWriter();
    // The specification requires an empty first symbol, for the reference 0.
    for (const symbol of ['', ...this.#symbols.keys()]) writeText(SYMBOLS, symbol, table);
    const body = compress(new Uint8Array(Buffer.concat([written(table), written(this.#series)])));
    this.#symbols.clear();
    this.#series.pos = 0;
    return body;
  }

  #writeMetadata(description: SeriesDescription, message: PbfWriter): void {
    this.#described.add(description);
    message.writeMessage(
      METADATA,
      ({ type, help, unit }, metadata) => {
        metadata.writeVarintField(TYPE, METRIC_TYPE_NUMBERS[type]);
        metadata.writeVarintField(HELP_REF, this.#toReference(help));
        metadata.writeVarintField(UNIT_REF, this.#toReference(unit));
      },
      description.family,
    );
  }

  #toReference(symbol: string): number {
    // The first symbol is the empty text.
    if (symbol === '') return 0;
    const known = this.#symbols.get(symbol);
    if (known !== undefined) return known;
    const reference = this.#symbols.size + 1;
    this.#symbols.set(symbol, reference);
    return reference;
  }
}
