import { expect } from '@jest/globals';
import { PbfReader } from 'pbf';
import { compile } from 'pbf/compile';
import schema from 'protocol-buffers-schema';
import { uncompress } from 'snappyjs';

import { Encoder, type EncodedBatch } from '../../../uploader/src/encoding/encoder.ts';
import type { BodyFormatName } from '../../../uploader/src/encoding/formats/registry.ts';
import { RowReader } from '../../../uploader/src/encoding/rows/row-reader.ts';
import { START_MS, StoredSamples } from './stored-samples.ts';

/** The formats of remote write, both versions. */
export const REMOTE_WRITE_FORMATS = ['remote-write-1', 'remote-write-2'] as const;
export type RemoteWriteFormat = (typeof REMOTE_WRITE_FORMATS)[number];

/** The messages as the specifications have them, in our own words; strings as bytes, which are the same on the wire. */
const VERSION_1 = `syntax = "proto3";
message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
message MetricMetadata { int32 type = 1; bytes metric_family_name = 2; bytes help = 4; bytes unit = 5; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
message Label { bytes name = 1; bytes value = 2; }
message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }`;
const VERSION_2 = `syntax = "proto3";
message Request { repeated bytes symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; Metadata metadata = 5; }
message Metadata { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }`;

interface Message {
  readonly symbols?: readonly Uint8Array[];
  readonly timeseries: readonly {
    readonly labels?: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
    readonly labels_refs?: readonly number[];
    readonly samples: readonly {
      readonly value: number;
      readonly timestamp: number;
      readonly start_timestamp?: number;
    }[];
    readonly metadata?: { readonly type: number; readonly help_ref: number; readonly unit_ref: number } | null;
  }[];
  readonly metadata?: readonly {
    readonly type: number;
    readonly metric_family_name: Uint8Array;
    readonly help: Uint8Array;
    readonly unit: Uint8Array;
  }[];
}

export interface ReadSeries {
  readonly labels: readonly [name: string, value: string][];
  readonly samples: readonly [timestampMs: number, value: number][];
}

const read = {
  'remote-write-1': compile(schema.parse(VERSION_1))['readWriteRequest'],
  'remote-write-2': compile(schema.parse(VERSION_2))['readRequest'],
} as Record<RemoteWriteFormat, (pbf: PbfReader) => Message>;

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** The series of a body, in its order, read by a schema of their own. */
export function readSeries(body: Uint8Array, format: RemoteWriteFormat): ReadSeries[] {
  const { symbols: bytes = [], timeseries } = read[format](new PbfReader(uncompress(body)));
  const symbols = bytes.map(textOf);
  if (format === 'remote-write-2') {
    expect(symbols[0]).toBe('');
    expect(new Set(symbols).size).toBe(symbols.length);
  }
  return timeseries.map(({ labels, labels_refs: refs = [], samples }) => ({
    labels:
      labels?.map(({ name, value }) => [textOf(name), textOf(value)]) ??
      Array.from({ length: refs.length / 2 }, (_, index) => [
        symbols[refs[2 * index]!]!,
        symbols[refs[2 * index + 1]!]!,
      ]),
    samples: samples.map(({ timestamp, value }) => [timestamp, value]),
  }));
}

/**
 * The start timestamps of the samples of each series of a body, in the order of readSeries(); 0 if there is none. 1.0 has no such
 * field; it is looked for all the same.
 */
export function readStarts(body: Uint8Array, format: RemoteWriteFormat): number[][] {
  const { timeseries } = read[format](new PbfReader(uncompress(body)));
  return timeseries.map(({ samples }) => samples.map(({ start_timestamp: startMs = 0 }) => startMs));
}

/** The metadata of a body: of families in 1.0, of each series in 2.0. */
export function readMetadata(body: Uint8Array, format: RemoteWriteFormat): unknown[] {
  const { symbols = [], timeseries, metadata = [] } = read[format](new PbfReader(uncompress(body)));
  if (format === 'remote-write-1')
    return metadata.map(({ type, metric_family_name: name, help, unit }) => [
      textOf(name),
      type,
      textOf(help),
      textOf(unit),
    ]);
  return timeseries.flatMap(({ labels_refs: refs = [], metadata: of }) => {
    const name = refs[refs.findIndex((ref) => textOf(symbols[ref]!) === '__name__') + 1]!;
    return of === undefined || of === null
      ? []
      : [[name, of.type, of.help_ref, of.unit_ref].map((each, index) => (index === 1 ? each : textOf(symbols[each]!)))];
  });
}

/** Encodes what `fill` has stored. */
export function encodeStored(
  format: BodyFormatName,
  fill: (stored: StoredSamples) => void,
  chunkMetrics = 50,
): EncodedBatch {
  const stored = new StoredSamples();
  try {
    fill(stored);
    const batchMetrics = stored.number('SELECT last_id FROM collector_state');
    return new Encoder(new RowReader(stored.database)).encode({
      ranges: [[1, batchMetrics]],
      format,
      batchMetrics,
      chunkMetrics,
      nowMs: START_MS,
    });
  } finally {
    stored.remove();
  }
}
