import { systemClock, type Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

/** Who answers for a file system: this kernel, or another machine or program, which may never do so. */
export type MountKind = 'local' | 'remote';

/** How large a file system is, and how much of it ordinary users may still fill. */
export interface FileSystemSpace {
  readonly sizeBytes: number;
  readonly availableBytes: number;
  /** How many files it can hold, and how many more; 0 of file systems that know no such bound, such as btrfs and vfat. */
  readonly files: number;
  readonly filesFree: number;
}

/** The counts of statfs(2): blocks of `bsize` bytes, and inodes. */
export interface BlockCounts {
  readonly bsize: number;
  readonly blocks: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
}

/** A server across a 4G link answers within a second or so; what takes longer is not worth waiting for. */
const DEADLINE_MS = 2_000;
/**
 * Local mounts are asked on the threads that Node has for all file operations of the process (UV_THREADPOOL_SIZE, 4
 * unless told): half of them may be lost. Remote ones are asked by a process each.
 */
const MAX_UNANSWERED: Readonly<Record<MountKind, number>> = { local: 2, remote: 8 };
const HINT = 'See whether its server or its device is still there; `umount -l` takes it away.';

/** How a mount of each kind is asked; a test's answers when the test says so. */
export interface StatfsCalls {
  readonly local: (path: string) => Promise<BlockCounts>;
  readonly remote: (path: string) => Promise<BlockCounts>;
}

/**
 * Asks mounts for their space, and survives those that never answer: a mount is not asked again before its last answer
 * has come, so each holds one thread or process at most, and no more than a few of a kind are without an answer.
 *
 * Ask one after the other: a question that is still open counts as unanswered.
 */
export class MountSpace {
  readonly #clock: Clock;
  readonly #calls: StatfsCalls;
  readonly #unanswered = new Map<string, MountKind>();

  constructor(calls: StatfsCalls, clock: Clock = systemClock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /**
   * The space of the file system at a mountpoint.
   *
   * @throws AgentError KERNEL_FILE_HUNG if no answer came in time, or none of an earlier question, or it was not asked
   * @throws Error the system's, if the answer was one
   */
  async read(mountpoint: string, kind: MountKind): Promise<FileSystemSpace> {
    const obstacle = this.#findObstacle(mountpoint, kind);
    if (obstacle !== undefined) throw createHungError(mountpoint, obstacle);
    const counts = await this.#withTimeout(this.#callStatfs(mountpoint, kind));
    if (counts === undefined) throw createHungError(mountpoint, `no answer within ${DEADLINE_MS / 1000} s`);
    // The unit is f_frsize, which Node does not give; the two differ on some FUSE file systems only, and `stat` gives it.
    const { bsize, blocks, bavail, files, ffree } = counts;
    return { sizeBytes: blocks * bsize, availableBytes: bavail * bsize, files, filesFree: ffree };
  }

  #findObstacle(mountpoint: string, kind: MountKind): string | undefined {
    if (this.#unanswered.has(mountpoint)) return 'it has not answered since it was last asked';
    const open = [...this.#unanswered].flatMap(([path, other]) => (other === kind ? path : []));
    if (open.length < MAX_UNANSWERED[kind]) return undefined;
    return `not asked while there is no answer from ${open.join(' and ')}`;
  }

  async #callStatfs(mountpoint: string, kind: MountKind): Promise<BlockCounts> {
    this.#unanswered.set(mountpoint, kind);
    try {
      return await this.#calls[kind](mountpoint);
    } finally {
      this.#unanswered.delete(mountpoint);
    }
  }

  /** The answer, or undefined when the deadline comes first; what a late one says is of no use any more. */
  async #withTimeout(answer: Promise<BlockCounts>): Promise<BlockCounts | undefined> {
    const answered = new AbortController();
    const late = this.#clock.sleep(DEADLINE_MS, answered.signal).then(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      answered.abort();
    }
  }
}

function createHungError(mountpoint: string, why: string): AgentError {
  return new AgentError(`${mountpoint} hangs: ${why}`, { code: 'KERNEL_FILE_HUNG', hint: HINT });
}
