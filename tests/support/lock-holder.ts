import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Another program that holds a lock on a database. */
export interface LockHolder {
  readonly pid: number;
  /** Ends its transaction and the program. */
  release(): Promise<void>;
}

/** Has another program begin a transaction that keeps others from writing to a database. */
export async function holdLock(databasePath: string, statement = 'BEGIN EXCLUSIVE'): Promise<LockHolder> {
  const script = join(import.meta.dirname, 'hold-lock.mjs');
  const child = spawn(process.execPath, [script, databasePath, statement], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('the lock was not taken'))),
  ]);
  return {
    pid: child.pid!,
    async release() {
      child.stdin.end();
      await ended;
    },
  };
}
