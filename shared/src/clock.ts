import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Time as the program sees it; tests put their own in its place. */
export interface Clock {
  /** The wall clock: Unix time in milliseconds. It may step. */
  now(): number;
  /** Milliseconds that only ever grow; only differences mean something. */
  monotonic(): number;
  /**
   * Milliseconds since the machine started, time in which it was suspended included, to within 10 ms
   * (CLOCK_BOOTTIME, clock_gettime(2)). All processes of one boot count alike.
   */
  sinceBoot(): number;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects: who waits looks at the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longest delay a timer takes (2^31 − 1 ms); a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sinceBoot: () => uptime() * 1000,
  async sleep(ms, signal) {
    const options = signal === undefined ? {} : { signal };
    await delay(Math.min(Math.max(0, ms), MAX_TIMER_MS), undefined, options).catch(() => undefined);
  },
};
