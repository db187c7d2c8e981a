import { readFileSync, statSync } from 'node:fs';

/** The POSIX locks that a process holds on a file, as `READ 1073741826 1073742335`; /proc/locks (proc_locks(5)) has them. */
export function findHeldLocks(path: string, pid = process.pid): string[] {
  const { ino } = statSync(path, { bigint: true });
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/ +/))
    .filter((fields) => fields[1] === 'POSIX' && fields[4] === String(pid) && fields[5]?.split(':')[2] === String(ino))
    .map((fields) => [fields[3], ...fields.slice(6)].join(' '))
    .sort();
}
