import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';
import { readStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import type { LeafRow, PageFile } from './leaf-pages.ts';

/** A row of `samples`, stored time as it was. */
export interface SourceSample {
  readonly id: number;
  readonly seriesId: number;
  readonly timestampMs: number;
  readonly value: SampleValue;
}

/** The columns of a row that may be none. */
export type StoredSample = { readonly [Column in keyof SourceSample]: unknown };

/** The rows of a page of samples, undefined for each that cannot be read; none on a page of other rows. */
export function readSampleCells(pages: PageFile, place: number): (SourceSample | undefined)[] {
  const leaf = pages.leaf(place);
  if (leaf === undefined || leaf.isIndex) return [];
  const cells = leaf.cells.map((row) => (row === undefined ? undefined : toSample(row)));
  return cells.some((cell) => cell !== undefined) ? cells : [];
}

function toSample({ id, values }: LeafRow): SourceSample | undefined {
  const [key, seriesId, timestampMs, value, ...more] = values;
  return key === null && more.length === 0 ? toSourceSample({ id, seriesId, timestampMs, value }) : undefined;
}

/** Returns undefined if no collector could have stored this: corrupt bytes may look like a value. */
export function toSourceSample({ id, seriesId, timestampMs, value: stored }: StoredSample): SourceSample | undefined {
  // SQLite stores no NaN as a number: the bytes of one on a page have changed.
  const value = Number.isNaN(stored) ? undefined : readStoredValue(stored);
  const isTime = isInteger(timestampMs) && timestampMs >= MIN_TIMESTAMP_MS && timestampMs <= MAX_TIMESTAMP_MS;
  if (value === undefined || !isTime || !isInteger(id) || id <= 0 || !isInteger(seriesId)) return undefined;
  return { id, seriesId, timestampMs, value };
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
