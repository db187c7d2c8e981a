import { parseFields, parseFraction } from '../parsing/fractions.ts';
import { createLineError } from '../parsing/kernel-text.ts';

const PATH = '/proc/uptime';

/** The kernel prints two decimals (`%lu.%02lu`); old versions of lxcfs print one, always 0. */
const form = /^[0-9]{1,20}\.[0-9]{1,2}$/;

/** The kernel counts time in nanoseconds of 63 bits; lxcfs, which subtracts two times, may write one below 0 as nearly 2^64. */
const MAX_UPTIME_SECONDS = 2 ** 63 / 1e9;

/**
 * Parses /proc/uptime: returns seconds since boot. The second number of the file, idle time, is not read.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseUptime(text: string): number {
  const { line, fields } = parseFields(PATH, text, 2);
  const seconds = parseFraction(line, fields[0] as string, form);
  if (seconds > MAX_UPTIME_SECONDS) throw createLineError(line, `${seconds} s is longer than a kernel can count`);
  return seconds;
}
