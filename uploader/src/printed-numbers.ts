const COMMA = 0x2c;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
/** As in Inf, which is how SQLite prints what JSON has no number for. */
const LETTER_I = 0x49;

/** Numbers as text, joined by commas. */
export interface PrintedNumbers {
  readonly bytes: Uint8Array;
  /** Where each of them begins, and one place behind the end of the last one. */
  readonly starts: Int32Array;
}

/** Numbers as text, with what they are. */
export interface WholeNumbers extends PrintedNumbers {
  readonly numbers: Float64Array;
}

/** Finds `count` numbers, of which none may be infinite; undefined where that is not what the bytes are. */
export function finiteNumbers(bytes: Uint8Array, count: number): PrintedNumbers | undefined {
  const starts = new Int32Array(count + 1);
  let index = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === COMMA) starts[(index += 1)] = at + 1;
  }
  starts[count] = bytes.length + 1;
  return index === Math.max(0, count - 1) && !bytes.includes(LETTER_I) ? { bytes, starts } : undefined;
}

/** Reads `count` whole numbers that are not negative; undefined where that is not what the bytes are. */
export function wholeNumbers(bytes: Uint8Array, count: number): WholeNumbers | undefined {
  const starts = new Int32Array(count + 1);
  const numbers = new Float64Array(count);
  let index = 0;
  let number = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= DIGIT_0 && byte <= DIGIT_9) number = number * 10 + (byte - DIGIT_0);
    else if (byte === COMMA) {
      numbers[index] = number;
      starts[(index += 1)] = at + 1;
      number = 0;
    } else return undefined;
  }
  numbers[index] = number;
  starts[count] = bytes.length + 1;
  return index === Math.max(0, count - 1) ? { bytes, starts, numbers } : undefined;
}

/** Several columns of numbers as one. */
export function joinPrinted(columns: readonly Uint8Array[]): Uint8Array {
  if (columns.length === 1) return columns[0]!;
  const separator = Uint8Array.of(COMMA);
  return Buffer.concat(columns.flatMap((column, index) => (index === 0 ? [column] : [separator, column])));
}
