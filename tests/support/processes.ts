/** What the kernel says of a process; each throws where it is gone. */
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const KIB_PER_MB = 1000 / 1.024;

/** Proportional set size in MB (1,000,000 bytes). */
export function pssMB(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) / KIB_PER_MB;
}

/** Memory of its own that no file stands behind, in MB (1,000,000 bytes). */
export function anonymousMB(pid) {
  return Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) / KIB_PER_MB;
}

/** Seconds of CPU, user and system. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Bytes that it has made go to a disk. */
export function diskBytesWritten(pid) {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))[1]);
}
