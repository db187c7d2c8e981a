import { statfs } from 'node:fs/promises';

import { systemClock, type Clock } from '@thugshells/shared/clock.js';
import { AgentError } from '@thugshells/shared/errors.js';

/** Who answers for a file system: this kernel, or another machine or program, which may never do so. */
export type MountKind = 'local' | 'remote';

/** How large a file system is, and how much of it ordinary users may still fill. */
export interface Space {
  readonly sizeBytes: number;
  readonly availableBytes: number;
}

/** The counts of statfs(2), in blocks of `bsize` bytes, as Node gives them. */
export interface BlockCounts {
  readonly bsize: number;
  readonly blocks: number;
  readonly bavail: number;
}

/** A server across a 4G link answers within a second or so; what takes longer is not worth a thread. */
const DEADLINE_MS = 2_000;
/** Half of the threads that Node has (UV_THREADPOOL_SIZE, 4 unless told) for all file operations of the process. */
const MAX_UNANSWERED = 2;
const HINT = 'See whether its server or its device is still there; `umount -l` takes it away.';

/**
 * Asks mounts for their space, and survives those that never answer.
 *
 * statfs(2) runs on one of the few threads on which Node does all file operations, and nothing takes a thread back
 * from a mount whose server has gone: it is held until an answer comes. A collector that asked at every scrape would
 * have lost all of them after four, and with them sysfs. Hence three rules:
 *
 * 1. A mount is not asked again before its last answer has come: each holds one thread at most.
 * 2. No more than two are without an answer, so that the others keep two threads.
 * 3. Only one of these may be remote, so that servers that are away never keep the local ones from being asked. The
 *    price: while one server is away, the mounts of the others are not asked either.
 *
 * Ask one after the other: a question that is still open counts as unanswered.
 */
export class MountSpace {
  readonly #clock: Clock;
  readonly #ask: (path: string) => Promise<BlockCounts>;
  readonly #unanswered = new Map<string, MountKind>();

  constructor({ clock = systemClock, ask = statfs }: { clock?: Clock; ask?: (path: string) => Promise<BlockCounts> } = {}) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /**
   * The space of the file system at a mountpoint.
   *
   * @throws AgentError KERNEL_FILE_HUNG if no answer came in time, or none of an earlier question, or it was not asked
   * @throws Error the system's, if the answer was one
   */
  async of(mountpoint: string, kind: MountKind): Promise<Space> {
    const obstacle = this.#obstacleTo(mountpoint, kind);
    if (obstacle !== undefined) throw hung(mountpoint, obstacle);
    const counts = await this.#inTime(this.#answerOf(mountpoint, kind));
    if (counts === undefined) throw hung(mountpoint, `no answer within ${DEADLINE_MS / 1000} s`);
    // The unit is f_frsize, which Node does not give; the two differ on some FUSE file systems only.
    const { bsize, blocks, bavail } = counts;
    return { sizeBytes: blocks * bsize, availableBytes: bavail * bsize };
  }

  #obstacleTo(mountpoint: string, kind: MountKind): string | undefined {
    if (this.#unanswered.has(mountpoint)) return 'it has not answered since it was last asked';
    const open = [...this.#unanswered];
    const blocking = open.length >= MAX_UNANSWERED ? open : open.filter(([, other]) => kind === 'remote' && other === 'remote');
    if (blocking.length === 0) return undefined;
    return `not asked while there is no answer from ${blocking.map(([path]) => path).join(' and ')}`;
  }

  async #answerOf(mountpoint: string, kind: MountKind): Promise<BlockCounts> {
    this.#unanswered.set(mountpoint, kind);
    try {
      return await this.#ask(mountpoint);
    } finally {
      this.#unanswered.delete(mountpoint);
    }
  }

  /** The answer, or undefined when the deadline comes first; what a late one says is of no use any more. */
  async #inTime(answer: Promise<BlockCounts>): Promise<BlockCounts | undefined> {
    const answered = new AbortController();
    const late = this.#clock.sleep(DEADLINE_MS, answered.signal).then(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      answered.abort();
    }
  }
}

function hung(mountpoint: string, why: string): AgentError {
  return new AgentError(`${mountpoint} hangs: ${why}`, { code: 'KERNEL_FILE_HUNG', hint: HINT });
}
