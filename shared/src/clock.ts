import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Time as the program reads it; tests pass one of their own. */
export interface Clock {
  /** The wall clock: Unix time in milliseconds. It may step. */
  now(): number;
  /** Milliseconds that never go back; only differences have a meaning. */
  monotonic(): number;
  /**
   * Milliseconds since the machine started, including the time that it was suspended, to within 10 ms
   * (CLOCK_BOOTTIME, clock_gettime(2)); the same for all processes of one boot.
   */
  sinceBoot(): number;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects: the caller checks the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay of a timer of Node.js (2^31 − 1 ms); a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

async function sleep(ms: number, signal: AbortSignal | undefined, keepsProcess: boolean): Promise<void> {
  const options = { ref: keepsProcess, ...(signal === undefined ? {} : { signal }) };
  await delay(Math.min(Math.max(0, ms), MAX_TIMER_MS), undefined, options).catch(() => undefined);
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sinceBoot: () => uptime() * 1000,
  sleep: (ms, signal) => sleep(ms, signal, true),
};

/** The same clocks; a process does not wait for their sleeps when nothing else is left to do. */
export const backgroundClock: Clock = { ...systemClock, sleep: (ms, signal) => sleep(ms, signal, false) };
