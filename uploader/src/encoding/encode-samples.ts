import { ValueType, type Labels } from '@thugshells/shared/metrics/sample.ts';

import { createBodyFormat, type BodyFormatName } from './formats/registry.ts';
import { NumericText } from './rows/numeric-text.ts';

/** A number of this moment that is in no database. */
export interface UnstoredSample {
  /** As stored, dotted. */
  readonly name: string;
  readonly tags: Labels;
  readonly value: number;
}

export interface UnstoredBatch {
  readonly samples: readonly UnstoredSample[];
  readonly deviceId: string;
  /** Of all of them, Unix milliseconds. */
  readonly timestampMs: number;
}

/** Encodes samples that are in no database as one compressed body. */
export function encodeSamples(name: BodyFormatName, { samples, deviceId, timestampMs }: UnstoredBatch): Uint8Array {
  const format = createBodyFormat(name);
  const columns = { values: new NumericText(), timestamps: new NumericText(), next: new Int32Array(samples.length) };
  columns.values.readFinite(Buffer.from(samples.map(({ value }) => value).join()), samples.length);
  columns.timestamps.readWhole(Buffer.from(samples.map(() => timestampMs).join()), samples.length);
  for (const [first, series] of samples.entries()) {
    const head = format.encodeHead({ id: 0, deviceId, valueType: ValueType.number, ...series });
    format.write({ head, first, count: 1 }, columns);
  }
  return format.finish();
}
