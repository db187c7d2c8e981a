import { execFile, type ChildProcess } from 'node:child_process';
import { env } from 'node:process';

import type { BlockCounts } from './mount-space.ts';

/**
 * Calls statfs(2) in a process of its own, `stat -f` of coreutils or busybox, for mounts that may hang.
 *
 * A thread that hangs in statfs(2) cannot be ended, and its process cannot exit: it waits for its threads first (measured
 * with a FUSE mount whose server reads no request: `once` printed everything and never exited). A process can be killed.
 * Starting one costs a few milliseconds, twice a minute, only on devices with such mounts.
 */
export class RemoteStatfs {
  readonly #children = new Set<ChildProcess>();

  /**
   * Returns the counts of the file system at a mountpoint.
   *
   * @throws Error with the message of `stat`, or the system's if it cannot run
   */
  statfs(path: string): Promise<BlockCounts> {
    return new Promise((resolve, reject) => {
      const args = ['-f', '-c', '%S %b %a %c %d', '--', path];
      const child = execFile('stat', args, { env: { ...env, LC_ALL: 'C' } }, (error, stdout, stderr) => {
        this.#children.delete(child);
        if (error === null) resolve(parseCounts(stdout));
        else reject(toStatError(error, stderr.trim()));
      });
      this.#children.add(child);
    });
  }

  /** Kills the processes that have not exited. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

function parseCounts(text: string): BlockCounts {
  const [bsize = NaN, blocks = NaN, bavail = NaN, files = NaN, ffree = NaN] = text.trim().split(' ').map(Number);
  return { bsize, blocks, bavail, files, ffree };
}

/** The ends of messages of `stat` in English, whose code matters to who asks. */
const CODES = [
  ['No such file or directory', 'ENOENT'],
  ['Permission denied', 'EACCES'],
] as const;

/** Creates an error with the message of `stat`, and with the code that Node has for it. */
function toStatError(error: Error, message: string): Error {
  if (message === '') return new Error(`cannot run stat -f: ${error.message}`, { cause: error });
  const [, code] = CODES.find(([end]) => message.endsWith(end)) ?? [];
  return Object.assign(new Error(message, { cause: error }), code === undefined ? {} : { code });
}
