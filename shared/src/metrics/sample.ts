import { hash } from 'node:crypto';

import type { SeriesDeclaration } from './series.ts';

/** Names and values of a series' labels, without its own name and without the device. */
export type Labels = Readonly<Record<string, string>>;

/** One value as a collector reads it, without a time and a device. */
export interface Reading {
  readonly series: SeriesDeclaration;
  readonly labels: Labels;
  readonly value: number | string;
  /** The labels as `canonicalTags` returns them, if the source has computed that before. */
  readonly canonical?: string;
}

/** Two samples with the same identity belong to one series. */
export interface SeriesIdentity {
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: ValueType;
}

/** One value of one series; its scrape has the time. */
export interface Sample extends SeriesIdentity {
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
}

/** As stored in the column `value_type`. */
export const ValueType = { number: 0, text: 1 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/** 2001-09-09: a lower one was meant as seconds, or comes from a clock that was never set. */
export const MIN_TIMESTAMP_MS = 1_000_000_000_000;
/** The end of the year 9999; twelve hexadecimal digits hold it. */
export const MAX_TIMESTAMP_MS = 253_402_300_799_999;

/** Returns the value type that a value is stored with. */
export function toValueType(value: number | string): ValueType {
  return typeof value === 'string' ? ValueType.text : ValueType.number;
}

/** Gives a reading its device. The sample may still be refused. */
export function toSample(reading: Reading, { deviceId, labels }: SampleContext): Sample {
  const isBare = Object.keys(labels).length === 0;
  const tags = isBare ? reading.labels : { ...reading.labels, ...labels };
  return {
    name: reading.series.name,
    deviceId,
    tags,
    canonical: (isBare ? reading.canonical : undefined) ?? canonicalTags(tags),
    valueType: toValueType(reading.value),
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
