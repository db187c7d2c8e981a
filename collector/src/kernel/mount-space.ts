import { systemClock, type Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

/** Who serves a file system: this kernel, or another machine or program, which may never respond. */
export type MountKind = 'local' | 'remote';

/** The size of a file system, and what is available to users other than root. */
export interface FileSystemSpace {
  readonly sizeBytes: number;
  readonly availableBytes: number;
  /** Inodes in all; 0 for file systems without a limit, such as btrfs and vfat. */
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

/** A server across a 4G link responds within about a second. */
const TIMEOUT_MS = 2_000;
/** A timer that is later than this was kept back by the process itself, and so may have been the answer. */
const BLOCKED_MS = 250;
/**
 * Calls of each kind that may be pending at once. Those for local mounts run on the threads that Node has for all file
 * operations of the process (UV_THREADPOOL_SIZE, 4 by default): half of them may hang. A remote one is a process.
 */
const MAX_PENDING: Readonly<Record<MountKind, number>> = { local: 2, remote: 8 };
const HINT = 'check the server or device of the mount; to detach it, run: umount -l';

/** statfs(2) for mounts of each kind. Tests decide when theirs return. */
export interface StatfsCalls {
  readonly local: (path: string) => Promise<BlockCounts>;
  readonly remote: (path: string) => Promise<BlockCounts>;
}

/**
 * Reads the space of mounts, and survives those that hang: while the call for a mount is pending there is no second
 * one, so that a mount occupies one thread or process at most, and the pending calls of a kind are limited.
 *
 * Calls must not overlap: one that is still pending counts as hung.
 */
export class MountSpace {
  readonly #clock: Clock;
  readonly #calls: StatfsCalls;
  readonly #pending = new Map<string, MountKind>();

  constructor(calls: StatfsCalls, clock: Clock = systemClock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /**
   * Returns the space of the file system at a mountpoint.
   *
   * @throws AgentError KERNEL_FILE_HUNG if statfs(2) did not return in time, has not returned since an earlier call, or
   *   was not called because too many are pending
   * @throws Error the system's, if statfs(2) failed
   */
  async read(mountpoint: string, kind: MountKind): Promise<FileSystemSpace> {
    const obstacle = this.#findObstacle(mountpoint, kind);
    if (obstacle !== undefined) throw createHungError(mountpoint, obstacle);
    const counts = await this.#withTimeout(this.#callStatfs(mountpoint, kind));
    if (counts === undefined) throw createHungError(mountpoint, `statfs did not return within ${TIMEOUT_MS / 1000} s`);
    // The unit is f_frsize. Node has f_bsize only: the two differ on some FUSE file systems, for which `stat` is used.
    const { bsize, blocks, bavail, files, ffree } = counts;
    return { sizeBytes: blocks * bsize, availableBytes: bavail * bsize, files, filesFree: ffree };
  }

  #findObstacle(mountpoint: string, kind: MountKind): string | undefined {
    if (this.#pending.has(mountpoint)) return 'statfs has not returned since the last scrape';
    const pending = [...this.#pending].flatMap(([path, other]) => (other === kind ? path : []));
    if (pending.length < MAX_PENDING[kind]) return undefined;
    return `statfs not called while ${pending.join(' and ')} ${pending.length === 1 ? 'hangs' : 'hang'}`;
  }

  async #callStatfs(mountpoint: string, kind: MountKind): Promise<BlockCounts> {
    this.#pending.set(mountpoint, kind);
    try {
      return await this.#calls[kind](mountpoint);
    } finally {
      this.#pending.delete(mountpoint);
    }
  }

  /** Returns the counts, or undefined if the timeout comes first; counts that come later are ignored. */
  async #withTimeout(call: Promise<BlockCounts>): Promise<BlockCounts | undefined> {
    const returned = new AbortController();
    const timeout = this.#waitForTimeout(returned.signal).then(() => undefined);
    try {
      return await Promise.race([call, timeout]);
    } finally {
      returned.abort();
    }
  }

  /** Waits until the timeout is over, and again if this process was blocked meanwhile, which is no sign of a hung mount. */
  async #waitForTimeout(returned: AbortSignal): Promise<void> {
    let lateMs = Infinity;
    while (lateMs > BLOCKED_MS && !returned.aborted) {
      const startedAt = this.#clock.monotonic();
      await this.#clock.sleep(TIMEOUT_MS, returned);
      lateMs = this.#clock.monotonic() - startedAt - TIMEOUT_MS;
    }
  }
}

function createHungError(mountpoint: string, why: string): AgentError {
  return new AgentError(`cannot read the space of ${mountpoint}: ${why}`, { code: 'KERNEL_FILE_HUNG', hint: HINT });
}
