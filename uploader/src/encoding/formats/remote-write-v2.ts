import { PbfWriter } from 'pbf';
import { compress } from 'snappyjs';

import { findSeriesLimits } from '@thugshells/shared/metrics/series-limits.ts';

import type { BodyColumns, BodyFormat, SeriesSegment } from './body-format.ts';
import { sortLabels, writeSamples, writeText, written } from './protobuf.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Fields of Request and TimeSeries. */
const SYMBOLS = 4;
const TIMESERIES = 5;
const LABELS_REFS = 1;

/**
 * Writes `io.prometheus.write.v2.Request`, the message of Prometheus remote write 2.0, compressed by snappy in its block
 * format: each label name and value is stored once in a table, and the series refer to it by number.
 * https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
export class RemoteWriteV2Format implements BodyFormat<readonly string[]> {
  readonly keepsTimeOrder = true;
  readonly limits = findSeriesLimits('remote-write');
  readonly #series = new PbfWriter();
  readonly #symbols = new Map<string, number>();

  /** Lists names and values of the labels, alternating. */
  encodeHead(series: SeriesRow, text?: string): readonly string[] {
    return sortLabels(series, text).flat();
  }

  write(part: SeriesSegment<readonly string[]>, columns: BodyColumns): void {
    this.#series.writeMessage(
      TIMESERIES,
      ({ head }, message) => {
        message.writePackedVarint(
          LABELS_REFS,
          head.map((symbol) => this.#toReference(symbol)),
        );
        writeSamples(part, columns, message);
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

  #toReference(symbol: string): number {
    const known = this.#symbols.get(symbol);
    if (known !== undefined) return known;
    const reference = this.#symbols.size + 1;
    this.#symbols.set(symbol, reference);
    return reference;
  }
}
