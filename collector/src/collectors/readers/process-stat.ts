import { createMalformedError } from '../../kernel/kernel-file-errors.ts';
import { createLineError, parseDecimal, quote, splitFields } from '../parsing/kernel-text.ts';

/** A process as /proc/PID/stat has it. */
export interface ProcessStat {
  /** The name that the kernel has of it, of 15 bytes at most: it may have any character in it. */
  readonly comm: string;
  /** One letter. */
  readonly state: string;
  /** Processor time of all its threads, also of those that have ended, in ticks of USER_HZ. */
  readonly ticks: number;
  readonly threads: number;
  /** When it started, in ticks since boot: with the process id it names one process. */
  readonly startTicks: number;
}

/** Fields after the state (Documentation/filesystems/proc.rst, table 1-4). */
const UTIME = 10;
const STIME = 11;
const THREADS = 16;
const START = 18;

/** The name ends at the last bracket: what it has of brackets and newlines is not escaped, and numbers follow it. */
const FORM = /^([0-9]+) \(([^]*)\) ([A-Za-z]) ([-0-9 ]+)\n$/;

/**
 * Parses /proc/PID/stat.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseProcessStat(pid: number, text: string): ProcessStat {
  const path = `/proc/${pid}/stat`;
  if (text === '') throw createMalformedError(path, 'empty');
  const [, id, comm = '', state = '', rest = ''] = FORM.exec(text) ?? [];
  if (id !== String(pid)) throw createMalformedError(path, `${quote(text)} is not the state of process ${pid}`);
  const line = { path, number: 1, text: rest };
  const fields = splitFields(rest);
  if (fields.length <= START) throw createLineError(line, `${fields.length} numbers, expected at least ${START + 1}`);
  const parseField = (index: number) => parseDecimal(line, fields[index] as string);
  return {
    comm,
    state,
    ticks: parseField(UTIME) + parseField(STIME),
    threads: parseField(THREADS),
    startTicks: parseField(START),
  };
}

/** Whether nothing is left of a process but its result: a leader that ended before its other threads is a zombie too. */
export function hasEnded({ state, threads }: ProcessStat): boolean {
  return /[ZXx]/.test(state) && threads <= 1;
}

/**
 * Parses /proc/PID/status: returns the bytes of its memory that are resident; 0 of a thread of the kernel, which has none of its own.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseResidentBytes(pid: number, text: string): number {
  const path = `/proc/${pid}/status`;
  // It follows the lines of the memory: a text that was cut before it may have lost them.
  if (!/^Threads:.*\n/m.test(text)) throw createMalformedError(path, 'truncated, no line Threads');
  const [match, ...more] = text.matchAll(/^VmRSS:[ \t]*(.*)\n/gm);
  if (more.length > 0) throw createMalformedError(path, 'a second line VmRSS');
  if (match === undefined) return 0;
  const amount = /^([0-9]{1,20}) kB$/.exec(match[1] as string)?.[1];
  if (amount === undefined) throw createMalformedError(path, `${quote(match[0])} is not an amount in kB`);
  return Number(amount) * 1024;
}
