import { printNumber } from '@thugshells/shared/metrics/json-lines.ts';
import { hasSpecialValues } from '@thugshells/shared/metrics/sample-refusals.ts';
import { toSpecialBytes, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';
import type { RemoteProtocol } from '@thugshells/shared/metrics/series-limits.ts';

import { releaseMemory } from '../../release-memory.ts';

const COMMA = 0x2c;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const MINUS = 0x2d;
const POINT = 0x2e;
/** As in Inf, which SQLite prints for infinity; JSON has no number for it. */
const LETTER_I = 0x49;
/** Special values have NULs among their eight bytes, and neither a comma nor that letter; printed numbers have none. */
const NUL = 0;
const SPECIAL_BYTES = 8;
/** The first byte of a special value is not below this one, and that of a printed number is. */
const FIRST_OF_SPECIALS = 0x7f;

/** A double holds this many decimal digits exactly, and the power of ten to divide by for as many decimal places. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/**
 * A column of numbers as text, joined by commas; among values the bytes of NaN, the stale marker and −0 stand as they are stored
 * (toSpecialBytes()). One object is reused for all batches.
 */
export class NumericText {
  bytes: Uint8Array = new Uint8Array();
  /** The offset of each number, and one past the end of the last one; what lies beyond belongs to an earlier batch. */
  starts = new Int32Array(1);
  /** The numbers, after readWhole(). */
  numbers = new Float64Array();
  /** Whether there are special values among those read by readValues(). */
  hasSpecials = false;

  /** Reads `count` values; returns false if there are more or fewer, or one of them is infinite. */
  readValues(bytes: Uint8Array, count: number): boolean {
    const { starts } = this.#hold(bytes, count);
    let index = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === COMMA) starts[(index += 1)] = at + 1;
    }
    starts[count] = bytes.length + 1;
    this.hasSpecials = bytes.includes(NUL);
    return index === Math.max(0, count - 1) && !bytes.includes(LETTER_I);
  }

  /** Reads `count` non-negative integers; returns false if the bytes are anything else. */
  readWhole(bytes: Uint8Array, count: number): boolean {
    const { starts } = this.#hold(bytes, count);
    if (this.numbers.length < count) this.numbers = new Float64Array(count);
    const { numbers } = this;
    let index = 0;
    let number = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte >= DIGIT_0 && byte <= DIGIT_9) number = number * 10 + (byte - DIGIT_0);
      else if (byte === COMMA) {
        numbers[index] = number;
        starts[(index += 1)] = at + 1;
        number = 0;
      } else return false;
    }
    if (count > 0) numbers[index] = number;
    starts[count] = bytes.length + 1;
    return index === Math.max(0, count - 1);
  }

  /** Returns the bytes of a special value at an index, most significant first; undefined if it is a number. */
  specialAt(place: number): Uint8Array | undefined {
    const start = this.starts[place]!;
    return this.bytes[start]! < FIRST_OF_SPECIALS ? undefined : this.bytes.subarray(start, start + SPECIAL_BYTES);
  }

  /** Parses the number at an index. */
  numberAt(place: number): number {
    const { bytes } = this;
    const end = this.starts[place + 1]! - 1;
    let at = this.starts[place]!;
    const sign = bytes[at] === MINUS ? -1 : 1;
    if (sign < 0) at++;
    let digits = 0;
    let point = end;
    if (end - at <= EXACT_DIGITS) {
      const first = at;
      for (; at < end; at++) {
        const byte = bytes[at]!;
        if (byte >= DIGIT_0 && byte <= DIGIT_9) digits = digits * 10 + (byte - DIGIT_0);
        else if (byte === POINT && point === end && at > first) point = at;
        else break;
      }
      // Both are exact, so the quotient is the nearest double. Number() returns the same, four times as slowly.
      if (at === end) return point === end ? sign * digits : (sign * digits) / POWERS_OF_TEN[end - point - 1]!;
    }
    return Number(
      Buffer.from(bytes.buffer, bytes.byteOffset + this.starts[place]!, end - this.starts[place]!).toString('latin1'),
    );
  }

  /** Frees the text; the numbers read from it stay. */
  release(): void {
    releaseMemory(this.bytes);
    this.bytes = new Uint8Array();
  }

  #hold(bytes: Uint8Array, count: number): this {
    this.bytes = bytes;
    if (this.starts.length <= count) this.starts = new Int32Array(count + 1);
    // An empty column ends where the next one's first number begins.
    this.starts[0] = 0;
    return this;
  }
}

/** Joins several columns of printed numbers. */
export function joinPrinted(columns: readonly Uint8Array[]): Uint8Array {
  if (columns.length === 1) return columns[0]!;
  const separator = Uint8Array.of(COMMA);
  return Buffer.concat(columns.flatMap((column, index) => (index === 0 ? [column] : [separator, column])));
}

/** Prints a value as a column has it; of a text, which is a label, the 1. */
export function printValue(value: SampleValue, protocol: RemoteProtocol): string {
  if (typeof value === 'string') return '1';
  const special = toSpecialBytes(value);
  if (special === undefined) return printNumber(value);
  // VictoriaMetrics' import format has no other special value than −0, which the receiver makes a zero.
  return hasSpecialValues(protocol) ? Buffer.from(special).toString('latin1') : '0';
}

/** Joins printed numbers to a column. Special values among them are bytes of any kind, hence the encoding. */
export function toColumn(printed: readonly (number | string)[]): Uint8Array {
  return Buffer.from(printed.join(), 'latin1');
}
