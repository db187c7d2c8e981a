/** What the kernel reports of a process; each function throws if the process is gone. */
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const KIB_PER_MB = 1000 / 1.024;

/** Reads a number that a pattern captures in a file of a process. */
function readNumber(pid: number, file: string, pattern: RegExp): number {
  const found = pattern.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1];
  if (found === undefined) throw new Error(`/proc/${pid}/${file} has no ${pattern.source}`);
  return Number(found);
}

/** Returns the proportional set size in MB (1,000,000 bytes). */
export function pssMB(pid: number): number {
  return readNumber(pid, 'smaps_rollup', /^Pss:\s+(\d+)/m) / KIB_PER_MB;
}

/** Returns the anonymous memory, which no file backs, in MB (1,000,000 bytes). */
export function anonymousMB(pid: number): number {
  return readNumber(pid, 'smaps_rollup', /^Anonymous:\s+(\d+)/m) / KIB_PER_MB;
}

/** Returns seconds of CPU, user and system. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Returns the bytes that it caused to be written to a disk. */
export function diskBytesWritten(pid: number): number {
  return readNumber(pid, 'io', /^write_bytes: (\d+)/m);
}
