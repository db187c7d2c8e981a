import { AgentError } from '@thugshells/shared/errors.ts';

import { createMalformedError } from '../../kernel/kernel-file-errors.ts';

/** One line of a kernel file, with its path and number for errors. */
export interface KernelLine {
  readonly path: string;
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/** Far more than any kernel writes (one line for each core, mount or partition); splitting takes a few milliseconds. */
const MAX_LINES = 50_000;

/**
 * Splits a kernel file into lines. The kernel ends every line with a newline: a text without one at its end is
 * truncated, perhaps within a number.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the text is empty, truncated, or has more than MAX_LINES lines
 */
export function splitLines(path: string, text: string): KernelLine[] {
  const { lines, truncated } = splitText(path, text);
  if (truncated !== undefined) throw truncated;
  return lines;
}

/**
 * Parses each line of a file by itself: a malformed or truncated one costs itself. Returns their errors.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the text is empty or has more than MAX_LINES lines
 */
export function parseEachLine(path: string, text: string, parse: (line: KernelLine) => void): AgentError[] {
  const { lines, truncated } = splitText(path, text);
  const errors: AgentError[] = [];
  for (const line of lines) {
    try {
      parse(line);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      errors.push(error);
    }
  }
  return truncated === undefined ? errors : [...errors, truncated];
}

function splitText(path: string, text: string): { readonly lines: KernelLine[]; readonly truncated?: AgentError } {
  if (text === '') throw createMalformedError(path, 'empty');
  const pieces = text.split('\n', MAX_LINES + 2);
  if (pieces.length > MAX_LINES + 1) throw createMalformedError(path, `more than ${MAX_LINES} lines`);
  const lines = pieces.map((line, index) => ({ path, number: index + 1, text: line }));
  const rest = lines.pop();
  if (rest === undefined || rest.text === '') return { lines };
  return { lines, truncated: createLineError(rest, 'truncated, no newline at its end') };
}

/**
 * Returns the line of a file of one line.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if it has none or several
 */
export function parseSingleLine(path: string, text: string): KernelLine {
  // Nearly always: most attributes of sysfs have a single line, and most of a scrape reads attributes.
  if (text.length > 1 && text.indexOf('\n') === text.length - 1) return { path, number: 1, text: text.slice(0, -1) };
  const [line, ...more] = splitLines(path, text);
  if (line === undefined || more.length > 0) throw createMalformedError(path, 'not a single line');
  return line;
}

/**
 * Returns the line of an attribute of sysfs. The kernel creates the text of an attribute whole, at one read, and some
 * drivers end it without a newline: unlike a file of procfs, such a text is not truncated.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if it has no line or several
 */
export function parseAttribute(path: string, text: string): KernelLine {
  return parseSingleLine(path, text === '' || text.endsWith('\n') ? text : `${text}\n`);
}

/** Splits a line into its blank-separated fields. */
export function splitFields(text: string): string[] {
  return text.split(/[ \t]+/).filter((field) => field !== '');
}

/** Digits only: no sign, fraction or exponent; the largest u64 has 20 of them. */
const decimal = /^[0-9]{1,20}$/;

/**
 * Parses a decimal integer as the kernel prints it. Above 2^53 it is rounded by at most one part in 2^53, which no
 * percentage or rate can show.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the field is not such an integer
 */
export function parseDecimal(line: KernelLine, field: string): number {
  if (!decimal.test(field)) throw createLineError(line, `${quote(field)} is not a number`);
  return Number(field);
}

/**
 * Parses all fields as integers. Newer kernels append fields, so there may be more than expected.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if there are too few fields, or one is not an integer
 */
export function parseDecimals(line: KernelLine, fields: readonly string[], minFields: number): number[] {
  if (fields.length < minFields) {
    throw createLineError(line, `${fields.length} numbers, expected at least ${minFields}`);
  }
  return fields.map((field) => parseDecimal(line, field));
}

/**
 * Parses an attribute of sysfs that has one decimal integer.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseNumberFile(path: string, text: string): number {
  const line = parseAttribute(path, text);
  return parseDecimal(line, line.text);
}

/**
 * Parses an attribute of sysfs that has a size, which cannot be 0.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseSizeFile(path: string, text: string): number {
  const size = parseNumberFile(path, text);
  if (size === 0) throw createMalformedError(path, '0 is not a size');
  return size;
}

/** A number of at most 32 bits; some attributes of sysfs have `0x` before it. */
const hexadecimal = /^(0x)?[0-9a-f]{1,8}$/;

/**
 * Parses an attribute of sysfs with exactly `count` hexadecimal numbers.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseHexFile(path: string, text: string, count: number): number[] {
  const line = parseAttribute(path, text);
  const fields = splitFields(line.text);
  if (fields.length !== count) throw createLineError(line, `${fields.length} numbers, expected ${count}`);
  const wrong = fields.find((field) => !hexadecimal.test(field));
  if (wrong !== undefined) throw createLineError(line, `${quote(wrong)} is not a hexadecimal number`);
  return fields.map((field) => parseInt(field, 16));
}

/** Compares names that differ in their number only: `hwmon2` is before `hwmon10`. */
export function compareByNumber(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : 1);
}

/** The numbers of a line; how many there are depends on the kernel. */
export interface NumberLine {
  readonly line: KernelLine;
  readonly numbers: readonly number[];
}

/**
 * Removes the lines that have fewer numbers than others: they lost some, and it is unknown which. Returns their errors.
 */
export function removeShortLines(lines: Map<string, NumberLine>): AgentError[] {
  const most = [...lines.values()].reduce((max, { numbers }) => Math.max(max, numbers.length), 0);
  const errors: AgentError[] = [];
  for (const [key, { line, numbers }] of lines) {
    if (numbers.length === most) continue;
    errors.push(createLineError(line, `${numbers.length} numbers, other lines have ${most}`));
    lines.delete(key);
  }
  return errors;
}

/** Creates the error for one line of a kernel file. */
export function createLineError(line: KernelLine, cause: string): AgentError {
  return createMalformedError(line.path, `line ${line.number}: ${cause}`);
}

/** Quotes a piece of a kernel file for a message: escaped, and at most 60 characters of it. */
export function quote(piece: string): string {
  return JSON.stringify(piece.length > 60 ? `${piece.slice(0, 60)}…` : piece);
}
