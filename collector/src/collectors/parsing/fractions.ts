import { createLineError, parseSingleLine, quote, splitFields, type KernelLine } from './kernel-text.ts';

/** Splits a file of one line into at least so many fields: with fewer, the last one may be truncated. */
export function parseFields(
  path: string,
  text: string,
  min: number,
): { readonly line: KernelLine; readonly fields: readonly string[] } {
  const line = parseSingleLine(path, text);
  const fields = splitFields(line.text);
  if (fields.length < min) throw createLineError(line, `${fields.length} numbers, expected at least ${min}`);
  return { line, fields };
}

/**
 * Parses a field with decimals, of the given form.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseFraction(line: KernelLine, field: string, form: RegExp): number {
  if (!form.test(field)) throw createLineError(line, `${quote(field)} is not a number with two decimals`);
  return Number(field);
}
