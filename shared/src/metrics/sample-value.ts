/**
 * The values of samples, and how the database holds them. Most are numbers, which SQLite stores as they are. Three have no
 * number there: SQLite stores NaN as NULL, prints −0 as 0, and JavaScript does not keep the payload of a NaN. They are BLOBs of
 * the eight bytes of the double, most significant byte first, which no number and no text is equal to. So an ordinary sample
 * takes not one byte more.
 */

/**
 * The value of a series' last sample: it ends there, and does not only have a gap. Prometheus calls it stale, and its bits are
 * those of a NaN that no calculation returns (`StaleNaN` in model/value/value.go of Prometheus).
 */
export const STALE_MARKER: unique symbol = Symbol('stale marker');
export type StaleMarker = typeof STALE_MARKER;

/** A number, NaN and −0 included, or the end of the series. */
export type NumericValue = number | StaleMarker;
/** A numeric value, or a text, which is exported as a label. */
export type SampleValue = NumericValue | string;

/** What is bound to the column `value`. */
export type StoredValue = number | bigint | string | Uint8Array;

/** A quiet NaN as Go, and thus Prometheus, has it (`NormalNaN` in the same file). */
const NAN = Buffer.from('7ff8000000000001', 'hex');
const STALE_NAN = Buffer.from('7ff0000000000002', 'hex');
const NEGATIVE_ZERO = Buffer.from('8000000000000000', 'hex');
const specialValues: readonly (readonly [bytes: Buffer, value: NumericValue])[] = [
  [NAN, NaN],
  [STALE_NAN, STALE_MARKER],
  [NEGATIVE_ZERO, -0],
];

/** All that the column `value` holds in place of a number. */
export const SPECIAL_VALUES: readonly Uint8Array[] = specialValues.map(([bytes]) => bytes);

/** Returns the bytes that stand for a value without a number in the database; undefined for all other values. */
export function toSpecialBytes(value: SampleValue): Uint8Array | undefined {
  return typeof value === 'string' ? undefined : specialValues.find(([, special]) => Object.is(special, value))?.[0];
}

/** Returns what is bound to store a value: as a float an integer takes eight bytes in the row, as an integer as few as it needs. */
export function toStoredValue(value: SampleValue): StoredValue {
  const special = toSpecialBytes(value);
  if (special !== undefined) return special;
  return Number.isSafeInteger(value) ? BigInt(value as number) : (value as number | string);
}

/** Returns the value that a column holds; undefined for what no collector stores: NULL, or other bytes. */
export function readStoredValue(stored: unknown): SampleValue | undefined {
  if (typeof stored === 'number' || typeof stored === 'string') return stored;
  return Buffer.isBuffer(stored) ? specialValues.find(([bytes]) => bytes.equals(stored))?.[1] : undefined;
}

/** Formats a value for people, as Prometheus does. */
export function formatValue(value: SampleValue): string {
  if (value === STALE_MARKER) return 'StaleNaN';
  return Object.is(value, -0) ? '-0' : String(value);
}
