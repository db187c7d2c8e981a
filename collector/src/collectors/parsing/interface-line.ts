import { createLineError, splitFields, type KernelLine } from './kernel-text.ts';

/** A line of /proc/net/dev or /proc/net/wireless. */
export interface InterfaceLine {
  readonly name: string;
  /** What follows the name, by columns. */
  readonly fields: readonly string[];
}

/**
 * Splits a line of an interface. Old kernels print no blank between the colon and a long number, and a line for each alias
 * with a colon in its name (`eth0:1:1234 …`): the last colon ends the name.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if it has no name
 */
export function splitInterfaceLine(line: KernelLine): InterfaceLine {
  const colon = line.text.lastIndexOf(':');
  // Blanks only: other characters that look like one may be part of a name (dev_valid_name in net/core/dev.c).
  const name = line.text.slice(0, Math.max(0, colon)).replace(/^ +/, '');
  if (name === '') throw createLineError(line, 'no interface name');
  return { name, fields: splitFields(line.text.slice(colon + 1)) };
}
