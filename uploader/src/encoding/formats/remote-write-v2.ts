import { PbfWriter } from 'pbf';
import { compress } from 'snappyjs';

import { findSeriesLimits } from '@thugshells/shared/metrics/series-limits.ts';

import type { BodyColumns, BodyFormat, SeriesSegment } from './body-format.ts';
import { sortedLabels, writeSamples, writeText, written } from './protobuf.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Fields of Request and TimeSeries. */
const SYMBOLS = 4;
const TIMESERIES = 5;
const LABELS_REFS = 1;

/**
 * Writes `io.prometheus.write.v2.Request`, the message of Prometheus remote write 2.0, compressed by snappy in its block
 * format: every label name and value stands once in a table, and the series refer to it by number.
 * https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
export class RemoteWriteV2Format implements BodyFormat<readonly string[]> {
  readonly keepsTimeOrder = true;
  readonly limits = findSeriesLimits('remote-write');
  readonly #series = new PbfWriter();
  readonly #symbols = new Map<string, number>();

  /** Names and values of the labels, in turn. */
  headOf(series: SeriesRow, text?: string): readonly string[] {
    return sortedLabels(series, text).flat();
  }

  write(part: SeriesSegment<readonly string[]>, columns: BodyColumns): void {
    this.#series.writeMessage(
      TIMESERIES,
      ({ head }, message) => {
        message.writePackedVarint(
          LABELS_REFS,
          head.map((symbol) => this.#refOf(symbol)),
        );
        writeSamples(part, columns, message);
      },
      part,
    );
  }

  /** Without anything written: a request without series, which asks whether the receiver knows this version. */
  finish(): Uint8Array {
    const table = new PbfWriter();
    // The first one must be empty: it is what a reference of 0 means.
    for (const symbol of ['', ...this.#symbols.keys()]) writeText(SYMBOLS, symbol, table);
    const body = compress(new Uint8Array(Buffer.concat([written(table), written(this.#series)])));
    this.#symbols.clear();
    this.#series.pos = 0;
    return body;
  }

  #refOf(symbol: string): number {
    const known = this.#symbols.get(symbol);
    if (known !== undefined) return known;
    const ref = this.#symbols.size + 1;
    this.#symbols.set(symbol, ref);
    return ref;
  }
}
