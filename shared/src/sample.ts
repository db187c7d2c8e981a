import { hash } from 'node:crypto';

import type { SeriesDeclaration } from './series.ts';

/** Names and values of a series' labels, without its own name and without the device. */
export type Labels = Readonly<Record<string, string>>;

/** One value as a collector reads it: it has neither a time nor a device yet. */
export interface Reading {
  readonly series: SeriesDeclaration;
  readonly labels: Labels;
  readonly value: number | string;
  /** The labels as `canonicalTags` has them, where the source knows that from before. */
  readonly canonical?: string;
}

/** What makes two samples belong to one series. */
export interface SeriesIdentity {
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: ValueType;
}

/** One value of one series at one time. */
export interface Sample extends SeriesIdentity {
  /** Unix time in whole milliseconds. */
  readonly timestampMs: number;
  readonly value: number | string;
  readonly priority: number;
  /** The tags as `canonicalTags` has them. */
  readonly canonical: string;
}

/** What a reading lacks to be a sample. */
export interface SampleContext {
  readonly deviceId: string;
  /** On every sample, besides its own labels. */
  readonly labels: Labels;
  readonly timestampMs: number;
}

/** As stored in the column `value_type`. */
export const ValueType = { number: 0, text: 1 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/** VictoriaMetrics keeps 30 labels of a series, `__name__` among them, and drops the rest without a word. */
export const MAX_LABELS = 30;
/** `__name__` and `device_id`, which every exported series bears. */
const OWN_LABELS = 2;
/** Newer VictoriaMetrics drops a series with a longer value, older ones cut it at 16 KiB and merge what became equal. */
export const MAX_LABEL_VALUE_BYTES = 4096;
/** 2001-09-09: whatever is below was meant as seconds, or comes from a clock that was never set. */
export const MIN_TIMESTAMP_MS = 1_000_000_000_000;
/** The end of the year 9999; twelve hexadecimal digits hold it. */
export const MAX_TIMESTAMP_MS = 253_402_300_799_999;

/** The value type that a value is stored with. */
export function valueTypeOf(value: number | string): ValueType {
  return typeof value === 'string' ? ValueType.text : ValueType.number;
}

/** A reading that has got its device and its time. It may still be refused. */
export function sampleOf(reading: Reading, { deviceId, labels, timestampMs }: SampleContext): Sample {
  const isBare = Object.keys(labels).length === 0;
  const tags = isBare ? reading.labels : { ...reading.labels, ...labels };
  return {
    name: reading.series.name,
    deviceId,
    tags,
    canonical: (isBare ? reading.canonical : undefined) ?? canonicalTags(tags),
    valueType: valueTypeOf(reading.value),
    timestampMs,
    value: reading.value,
    priority: reading.series.priority,
  };
}

/**
 * Labels as JSON with sorted keys: equal for equal labels, whatever the order in which they were given.
 * Unicode is left as it is: two spellings of one letter are two values.
 */
export function canonicalTags(tags: Labels): string {
  const members = Object.keys(tags)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(tags[key])}`);
  return `{${members.join(',')}}`;
}

/** A series of one device as a text: equal for equal series only, whatever stands in its name. */
export function seriesText({ name, valueType, canonical }: Pick<Sample, 'name' | 'valueType' | 'canonical'>): string {
  return `${valueType} ${name.length} ${name}${canonical}`;
}

/** SHA-256 (32 bytes) of a series' identity; JSON keeps delimiters inside values from making two identities equal. */
export function seriesKey(name: string, deviceId: string, canonical: string, valueType: number): Buffer {
  return hash('sha256', JSON.stringify([name, deviceId, canonical, valueType]), 'buffer');
}

/** SHA-256 in hex of name, time, device, canonical tags and value type: what makes a stored row unique in version 2. */
export function dedupKey(identity: SeriesIdentity & { readonly timestampMs: number }): string {
  const { name, timestampMs, deviceId, tags, valueType } = identity;
  return hash('sha256', JSON.stringify([name, timestampMs, deviceId, canonicalTags(tags), valueType]), 'hex');
}

/**
 * Why a sample must not be stored, or undefined if it may be.
 * Each rule stands for something that the receiver would answer with 204 and then drop, cut or merge.
 */
export function refusalOf(sample: Sample): string | undefined {
  return (
    nameRefusal(sample.name) ??
    deviceRefusal(sample.deviceId) ??
    timestampRefusal(sample.timestampMs) ??
    valueRefusal(sample.value) ??
    labelsRefusal(sample.tags, sample.valueType)
  );
}

/** Why a stored or exported name is refused. */
export function nameRefusal(name: string): string | undefined {
  return name === '' ? 'empty name' : labelValueRefusal('__name__', name);
}

/** Why a device's name is refused: it is a label like any other. */
export function deviceRefusal(deviceId: string): string | undefined {
  return labelValueRefusal('device_id', deviceId);
}

/** Why a time is refused. */
export function timestampRefusal(timestampMs: unknown): string | undefined {
  if (!Number.isInteger(timestampMs)) return `timestamp ${String(timestampMs)} is not a whole number of milliseconds`;
  const time = timestampMs as number;
  return time < MIN_TIMESTAMP_MS || time > MAX_TIMESTAMP_MS ? `timestamp ${time} is out of range` : undefined;
}

/** Why a value is refused; a text is exported as a label and shares its limit. */
export function valueRefusal(value: unknown): string | undefined {
  if (typeof value === 'string') return labelValueRefusal('value', value);
  if (typeof value !== 'number') return `value of type ${value === null ? 'null' : typeof value}`;
  return Number.isFinite(value) ? undefined : `value ${value} is not finite`;
}

/** Why a set of labels is refused. */
export function labelsRefusal(tags: Readonly<Record<string, unknown>>, valueType: number): string | undefined {
  const names = Object.keys(tags);
  const reserved = names.find((name) => isReserved(name, names, valueType));
  if (reserved !== undefined) return `label name "${reserved}" is reserved`;
  if (names.length + OWN_LABELS > MAX_LABELS) {
    return `${names.length} labels; with __name__ and device_id at most ${MAX_LABELS} are kept`;
  }
  for (const name of names) {
    const refusal = labelValueRefusal(name, tags[name]);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Names that the exported series needs for itself: a label may not take them, or one of two would be lost. */
function isReserved(name: string, names: readonly string[], valueType: number): boolean {
  if (name === 'value') return valueType === ValueType.text;
  if (name === 'exported_device_id') return names.includes('device_id');
  return name === '' || name === '__name__';
}

function labelValueRefusal(name: string, value: unknown): string | undefined {
  if (typeof value !== 'string') return `label "${name}" is not a string`;
  // A lone surrogate has no UTF-8 form: it would be replaced on the way, and two values could become one.
  if (!value.isWellFormed()) return `label "${name}" is not well-formed unicode`;
  if (value.length * 3 <= MAX_LABEL_VALUE_BYTES || Buffer.byteLength(value) <= MAX_LABEL_VALUE_BYTES) return undefined;
  return `label "${name}" is longer than ${MAX_LABEL_VALUE_BYTES} bytes`;
}
