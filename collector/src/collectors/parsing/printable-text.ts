import { createLineError, quote, type KernelLine } from './kernel-text.ts';

/** No model, release or zone comes near. */
const MAX_LENGTH = 200;

/**
 * Returns the text of a line without blanks around it, to be stored as a value.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if it is empty, too long, or has control characters in it
 */
export function requirePrintable(line: KernelLine): string {
  const text = line.text.trim();
  if (text === '') throw createLineError(line, 'no text');
  if (text.length > MAX_LENGTH) throw createLineError(line, `more than ${MAX_LENGTH} characters`);
  if (/\p{Cc}/u.test(text)) throw createLineError(line, `${quote(text)} has control characters`);
  return text;
}
