import { hash } from 'node:crypto';

import type { SampleValue } from './sample-value.ts';
import type { SeriesDeclaration } from './series.ts';

/** Names and values of a series' labels, without its own name and without the device. */
export type Labels = Readonly<Record<string, string>>;

/** One value as a collector reads it, without a time and a device. */
export interface Reading {
  readonly series: SeriesDeclaration;
  readonly labels: Labels;
  readonly value: SampleValue;
  /** How much older than its scrape it is, in whole milliseconds; undefined if it has no time of its own. */
  readonly ageMs?: number | undefined;
  /** The labels as `canonicalTags` returns them, if the source has computed that before. */
  readonly canonical?: string;
  /** When the series began to count, by the clock of its source; Unix milliseconds. */
  readonly createdMs?: number | undefined;
}

/** Two samples with the same identity belong to one series. */
export interface SeriesIdentity {
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: ValueType;
}

/** The maximum age of a reading with a time of its own: an older one gets the time of its scrape. */
export const MAX_SAMPLE_AGE_MS = 3_600_000;

/** One value of one series; its scrape has the time. */
export interface Sample extends SeriesIdentity {
  readonly value: SampleValue;
  /** As a reading has it. */
  readonly ageMs?: number | undefined;
  /** When its series began to count, by the clock of its source; Unix milliseconds. */
  readonly createdMs?: number | undefined;
  readonly priority: number;
  /** The tags as `canonicalTags` has them. */
  readonly canonical: string;
  /** What its series was declared as. */
  readonly declaration: SeriesDeclaration;
}

/** What a reading lacks to be a sample. */
export interface SampleContext {
  readonly deviceId: string;
  /** Of every sample, besides its own labels. */
  readonly labels: AddedLabels;
}

/** The labels of a series as they are stored. */
export interface LabelSet {
  readonly tags: Labels;
  /** From canonicalTags(). */
  readonly canonical: string;
}

/** Sets of labels that are remembered: more than a device has series by default. */
const MAX_KNOWN = 10_000;

/** Adds the labels that all samples of a device have to those of a reading. */
export class AddedLabels {
  readonly #site: Labels;
  readonly #always: Labels;
  /** By the reading's own labels: they are merged and sorted once, not with each scrape. */
  readonly #known = new Map<string, LabelSet>();

  /**
   * @param site a label of the reading takes the place of one of the same name
   * @param always they take the place of the reading's own
   */
  constructor({ site = {}, always = {} }: { readonly site?: Labels | undefined; readonly always?: Labels } = {}) {
    this.#site = site;
    this.#always = always;
  }

  /** Returns the labels of a reading with those that are added. */
  addTo({ labels, canonical = canonicalTags(labels) }: Pick<Reading, 'labels' | 'canonical'>): LabelSet {
    if (Object.keys(this.#site).length === 0 && Object.keys(this.#always).length === 0)
      return { tags: labels, canonical };
    const known = this.#known.get(canonical);
    if (known !== undefined) return known;
    const tags = this.#merge(labels);
    const added = { tags, canonical: canonicalTags(tags) };
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(canonical, added);
    return added;
  }

  /** To a receiver an empty label is none, so that it does not take the place of another. */
  #merge(labels: Labels): Labels {
    const isOwn = ([name, value]: [string, string]): boolean => value !== '' || !Object.hasOwn(this.#site, name);
    return { ...this.#site, ...Object.fromEntries(Object.entries(labels).filter(isOwn)), ...this.#always };
  }
}

/** As stored in the column `value_type`. */
export const ValueType = { number: 0, text: 1 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/** 2001-09-09: a lower one was meant as seconds, or comes from a clock that was never set. */
export const MIN_TIMESTAMP_MS = 1_000_000_000_000;
/** The end of the year 9999; twelve hexadecimal digits hold it. */
export const MAX_TIMESTAMP_MS = 253_402_300_799_999;

/** Returns the value type that a value is stored with. */
export function toValueType(value: SampleValue): ValueType {
  return typeof value === 'string' ? ValueType.text : ValueType.number;
}

/** Gives a reading its device. The sample may still be refused. */
export function toSample(reading: Reading, { deviceId, labels }: SampleContext): Sample {
  return {
    ...labels.addTo(reading),
    name: reading.series.name,
    deviceId,
    valueType: toValueType(reading.value),
    value: reading.value,
    ageMs: reading.ageMs,
    createdMs: reading.createdMs,
    priority: reading.series.priority,
    declaration: reading.series,
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
