import type { AgentError } from '@thugshells/shared/errors.js';

import { malformed } from '../kernel-files.js';

/** One line of a kernel file, with what an error needs to name it. */
export interface KernelLine {
  readonly path: string;
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/**
 * The lines of a kernel file. The kernel ends every line with a newline, so a text without one at its end was cut,
 * perhaps within a number that would look whole.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED for a text that is empty or cut
 */
export function linesOf(path: string, text: string): KernelLine[] {
  if (text === '') throw malformed(path, 'empty');
  const lines = text.split('\n').map((line, index) => ({ path, number: index + 1, text: line }));
  const rest = lines.pop();
  if (rest !== undefined && rest.text !== '') throw malformedLine(rest, 'cut short, no newline at its end');
  return lines;
}

/** The blank-separated fields of a line. */
export function fieldsOf(text: string): string[] {
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
export function decimalOf(line: KernelLine, field: string): number {
  if (!decimal.test(field)) throw malformedLine(line, `${quoted(field)} is not a number`);
  return Number(field);
}

/**
 * All fields as integers. Kernels append fields, so more than expected are welcome; they must be numbers all the same.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED for too few fields, or one that is no integer
 */
export function decimalsOf(line: KernelLine, fields: readonly string[], atLeast: number): number[] {
  if (fields.length < atLeast) {
    throw malformedLine(line, `${fields.length} numbers where at least ${atLeast} are expected`);
  }
  return fields.map((field) => decimalOf(line, field));
}

/**
 * The one number that a file of sysfs holds, and that cannot be 0: a size.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseSizeFile(path: string, text: string): number {
  const [line, ...more] = linesOf(path, text);
  const size = line === undefined || more.length > 0 ? 0 : decimalOf(line, line.text);
  if (size === 0) throw malformed(path, `${quoted(text)} is not a size`);
  return size;
}

/** The error for one line of a kernel file. */
export function malformedLine(line: KernelLine, what: string): AgentError {
  return malformed(line.path, `line ${line.number}: ${what}`);
}

/** A piece of a kernel file as it may stand in a message: escaped, and not longer than a person reads. */
export function quoted(piece: string): string {
  return JSON.stringify(piece.length > 60 ? `${piece.slice(0, 60)}…` : piece);
}
