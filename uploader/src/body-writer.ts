import type { PrintedNumbers } from './printed-numbers.js';

/** Samples that stand one after the other in a line. */
export interface LinePart {
  /** What a line begins with, from beginningOfLine(). */
  readonly beginning: Uint8Array;
  /** The first one's place in the batch, and how many they are. */
  readonly first: number;
  readonly count: number;
}

/** The numbers of a batch, and for each sample which one follows it in its line. */
export interface BodyColumns {
  readonly values: PrintedNumbers;
  readonly timestamps: PrintedNumbers;
  readonly next: Int32Array;
}

const utf8 = new TextEncoder();
const BETWEEN = utf8.encode('],"timestamps":[');
const END = utf8.encode(']}\n');
const COMMA = 0x2c;
const FIRST_CAPACITY = 64 * 1024;

/** The part of a line of VictoriaMetrics' JSON import format that is the same for all samples of a series. */
export function beginningOfLine(metric: string): Uint8Array {
  return utf8.encode(`{"metric":${metric},"values":[`);
}

/**
 * Writes lines of VictoriaMetrics' JSON import format from numbers that are printed already, into memory of its own
 * that is used again for each body.
 */
export class BodyWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  /** The body so far: valid until something is written. */
  get body(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Appends a line. */
  write({ beginning, first, count }: LinePart, { values, timestamps, next }: BodyColumns): void {
    this.#append(beginning);
    this.#appendNumbers(values, next, { first, count });
    this.#append(BETWEEN);
    this.#appendNumbers(timestamps, next, { first, count });
    this.#append(END);
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #appendNumbers({ bytes, starts }: PrintedNumbers, next: Int32Array, { first, count }: { first: number; count: number }): void {
    let length = this.#length;
    for (let place = first, left = count; left > 0; place = next[place]!, left--) {
      const start = starts[place]!;
      const end = starts[place + 1]! - 1;
      if (length + end - start + 1 > this.#bytes.length) {
        this.#length = length;
        this.#reserve(end - start + 1);
      }
      const target = this.#bytes;
      if (left < count) target[length++] = COMMA;
      for (let at = start; at < end; at++) target[length++] = bytes[at]!;
    }
    this.#length = length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#length + more, 2 * this.#bytes.length));
    grown.set(this.body);
    this.#bytes = grown;
  }
}
