import { execFile, type ChildProcess } from 'node:child_process';

import type { BlockCounts } from './mount-space.ts';

/**
 * statfs(2) by a process of its own, `stat -f` of coreutils or busybox, for mounts that may never answer.
 *
 * A thread that waits for such a mount cannot be taken back, and a process that has one cannot even exit: it waits for
 * its threads first (tried with a FUSE mount whose server reads no request: `once` had printed everything and stayed for
 * ever). A process can be killed. To start one costs a few milliseconds, twice a minute, on boards with such mounts only.
 */
export class RemoteStatfs {
  readonly #children = new Set<ChildProcess>();

  /**
   * The counts of the file system at a mountpoint.
   *
   * @throws Error the system's, or what `stat` says
   */
  statfs(path: string): Promise<BlockCounts> {
    return new Promise((resolve, reject) => {
      const child = execFile('stat', ['-f', '-c', '%S %b %a %c %d', '--', path], (error, stdout, stderr) => {
        this.#children.delete(child);
        if (error === null) resolve(parseCounts(stdout));
        else reject(toStatError(error, stderr.trim()));
      });
      this.#children.add(child);
    });
  }

  /** Gives up on whatever has not answered. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

function parseCounts(text: string): BlockCounts {
  const [bsize = NaN, blocks = NaN, bavail = NaN, files = NaN, ffree = NaN] = text.trim().split(' ').map(Number);
  return { bsize, blocks, bavail, files, ffree };
}

/** In the words of `stat`, and with the code that Node would give for a path that is not there. */
function toStatError(error: Error, said: string): Error {
  if (said === '') return new Error(`stat -f cannot be run: ${error.message}`, { cause: error });
  const isGone = said.endsWith('No such file or directory');
  return Object.assign(new Error(said, { cause: error }), isGone ? { code: 'ENOENT' } : {});
}
