import { ValueType, type Labels } from '@thugshells/shared/metrics/sample.ts';
import { findValueRefusal } from '@thugshells/shared/metrics/sample-refusals.ts';
import type { NumericValue } from '@thugshells/shared/metrics/sample-value.ts';

import { createBodyFormat, type BodyFormatName } from './formats/registry.ts';
import { NumericText, printValue, toColumn } from './rows/numeric-text.ts';

/** A number of this moment that is in no database. */
export interface UnstoredSample {
  /** As stored, dotted. */
  readonly name: string;
  readonly tags: Labels;
  readonly value: NumericValue;
}

export interface UnstoredBatch {
  readonly samples: readonly UnstoredSample[];
  readonly deviceId: string;
  /** Of all of them, Unix milliseconds. */
  readonly timestampMs: number;
}

/** Encodes samples that are in no database as one compressed body, without those whose value the protocol does not have. */
export function encodeSamples(
  name: BodyFormatName,
  { samples: all, deviceId, timestampMs }: UnstoredBatch,
): Uint8Array {
  const format = createBodyFormat(name);
  const samples = all.filter(({ value }) => findValueRefusal(value, format.protocol) === undefined);
  const columns = { values: new NumericText(), timestamps: new NumericText(), next: new Int32Array(samples.length) };
  columns.values.readValues(toColumn(samples.map(({ value }) => printValue(value, format.protocol))), samples.length);
  columns.timestamps.readWhole(toColumn(samples.map(() => timestampMs)), samples.length);
  for (const [first, series] of samples.entries()) {
    const head = format.encodeHead({ id: 0, deviceId, valueType: ValueType.number, ...series });
    format.write({ head, first, count: 1 }, columns);
  }
  return format.finish();
}
