import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A process that has taken the lock, or what kept it from that. */
export interface LockTaker {
  readonly child: ChildProcess;
  readonly said: string;
  readonly message: string;
  readonly hint: string;
}

const running: ChildProcess[] = [];
/** Without root's right to write any file. */
const UNPRIVILEGED = ['setpriv', '--bounding-set=-dac_override,-dac_read_search'];

/** How a process that takes the lock is started. */
export interface LockTakerOptions {
  /** Bound by the modes of files also if this process is root's. */
  readonly isBound?: boolean;
  /** The command line before its own. */
  readonly launcher?: readonly string[];
}

/** Starts a process that takes the lock of a database. */
export async function startLockTaker(
  databasePath: string,
  role: 'collector' | 'uploader' = 'collector',
  { isBound = false, launcher = [] }: LockTakerOptions = {},
): Promise<LockTaker> {
  const bound = isBound && process.getuid?.() === 0 ? UNPRIVILEGED : [];
  const file = join(import.meta.dirname, 'take-lock.mjs');
  const [command = '', ...before] = [...launcher, ...bound, process.execPath];
  const child = spawn(command, [...before, '--expose-gc', file, databasePath, role], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.push(child);
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  const [said = '', message = '', hint = ''] = output.toString().split('\n');
  return { child, said, message, hint };
}

/** Ends a process that was started. */
export async function endLockTaker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Ends all of them. */
export async function endLockTakers(): Promise<void> {
  await Promise.all(running.splice(0).map(endLockTaker));
}
