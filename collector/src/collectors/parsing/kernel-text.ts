import type { AgentError } from '@thugshells/shared/errors.ts';

import { createMalformedError } from '../../kernel/kernel-files.ts';

/** One line of a kernel file, with what an error needs to name it. */
export interface KernelLine {
  readonly path: string;
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/** Far above what any kernel writes (one line for each core, mount or partition), and split in a few milliseconds. */
const MAX_LINES = 50_000;

/**
 * The lines of a kernel file. The kernel ends every line with a newline, so a text without one at its end was cut,
 * perhaps within a number that would look whole.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED for a text that is empty, cut, or of more lines than a kernel writes
 */
export function splitLines(path: string, text: string): KernelLine[] {
  if (text === '') throw createMalformedError(path, 'empty');
  const pieces = text.split('\n', MAX_LINES + 2);
  if (pieces.length > MAX_LINES + 1) throw createMalformedError(path, `more than ${MAX_LINES} lines`);
  const lines = pieces.map((line, index) => ({ path, number: index + 1, text: line }));
  const rest = lines.pop();
  if (rest !== undefined && rest.text !== '') throw createLineError(rest, 'cut short, no newline at its end');
  return lines;
}

/**
 * The line of a file that holds one.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED for no line, or several
 */
export function parseSingleLine(path: string, text: string): KernelLine {
  const [line, ...more] = splitLines(path, text);
  if (line === undefined || more.length > 0) throw createMalformedError(path, 'not one line');
  return line;
}

/** The blank-separated fields of a line. */
export function splitFields(text: string): string[] {
  return text.split(/[ \t]+/).filter((field) => field !== '');
}

/** Digits and nothing else: no sign, no fraction, no exponent; the largest u64 has 20 of them. */
const decimal = /^[0-9]{1,20}$/;

/**
 * A decimal integer as the kernel prints it. It stays a Number: above 2^53 it is rounded by at most one part in 2^53,
 * which no percentage or rate can show.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED for a field that is no such integer
 */
export function parseDecimal(line: KernelLine, field: string): number {
  if (!decimal.test(field)) throw createLineError(line, `${quote(field)} is not a number`);
  return Number(field);
}

/**
 * All fields as integers. Kernels append fields, so more than expected are welcome; they must be numbers all the same.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED for too few fields, or one that is no integer
 */
export function parseDecimals(line: KernelLine, fields: readonly string[], atLeast: number): number[] {
  if (fields.length < atLeast) {
    throw createLineError(line, `${fields.length} numbers where at least ${atLeast} are expected`);
  }
  return fields.map((field) => parseDecimal(line, field));
}

/**
 * The one decimal integer that a file of sysfs holds.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseNumberFile(path: string, text: string): number {
  const line = parseSingleLine(path, text);
  return parseDecimal(line, line.text);
}

/**
 * As `parseNumberFile`, for a size, which cannot be 0.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseSizeFile(path: string, text: string): number {
  const size = parseNumberFile(path, text);
  if (size === 0) throw createMalformedError(path, '0 is not a size');
  return size;
}

/** A number of at most 32 bits, with `0x` before it or not: files of sysfs write either. */
const hexadecimal = /^(0x)?[0-9a-f]{1,8}$/;

/**
 * The hexadecimal numbers in a file of one line, exactly so many.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseHexFile(path: string, text: string, count: number): number[] {
  const line = parseSingleLine(path, text);
  const fields = splitFields(line.text);
  if (fields.length !== count) throw createLineError(line, `${fields.length} numbers where ${count} are expected`);
  const wrong = fields.find((field) => !hexadecimal.test(field));
  if (wrong !== undefined) throw createLineError(line, `${quote(wrong)} is not a hexadecimal number`);
  return fields.map((field) => parseInt(field, 16));
}

/** Orders names that differ in their number only: `hwmon2` before `hwmon10`. */
export function compareByNumber(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : 1);
}

/**
 * Checks that lines of one kind have equally many fields: how many depends on the kernel, but one with fewer than its
 * neighbour lost some, and which cannot be told.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export class EqualFieldCounts {
  #width: number | undefined;

  check(line: KernelLine, fields: readonly unknown[]): void {
    this.#width ??= fields.length;
    if (fields.length !== this.#width)
      throw createLineError(line, `${fields.length} numbers where the lines before have ${this.#width}`);
  }
}

/** The error for one line of a kernel file. */
export function createLineError(line: KernelLine, what: string): AgentError {
  return createMalformedError(line.path, `line ${line.number}: ${what}`);
}

/** A piece of a kernel file as it may stand in a message: escaped, and not longer than a person reads. */
export function quote(piece: string): string {
  return JSON.stringify(piece.length > 60 ? `${piece.slice(0, 60)}…` : piece);
}
