import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import process from 'node:process';
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

/** proc_pid_stat(5) counts in USER_HZ, which is 100 on every machine that Node.js runs on. */
const MS_PER_TICK = 10;
/** starttime is the 22nd field; the first two end with a parenthesis. */
const START_TIME_FIELD = 19;
/** A process starts some milliseconds before Node.js counts its time. */
const UPTIME_TOLERANCE_MS = 1_000;

/**
 * Returns by how much the machine has been up longer than uptime(2) reports, in milliseconds. lxcfs shows a container the time
 * since its own start, which changes when the container is restarted, while the boot's id stays. When a process started is
 * reported by the kernel itself.
 *
 * @param stat the text of /proc/self/stat
 */
export function hiddenUptimeMs(stat: string, processMs: number, uptimeMs: number): number {
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME_FIELD]);
  const hiddenMs = ticks * MS_PER_TICK + processMs - uptimeMs;
  return Math.abs(hiddenMs) > UPTIME_TOLERANCE_MS ? hiddenMs : 0;
}

function readHiddenUptimeMs(): number {
  try {
    return hiddenUptimeMs(readFileSync('/proc/self/stat', 'utf8'), process.uptime() * 1000, uptime() * 1000);
  } catch {
    // No /proc: the time since boot is as good as uptime(2) is.
    return 0;
  }
}

let hiddenMs: number | undefined;

/** Found once: a suspend later on would count as hidden. */
function sinceBoot(): number {
  hiddenMs ??= readHiddenUptimeMs();
  return uptime() * 1000 + hiddenMs;
}

async function sleep(ms: number, signal: AbortSignal | undefined, keepsProcess: boolean): Promise<void> {
  const options = { ref: keepsProcess, ...(signal === undefined ? {} : { signal }) };
  await delay(Math.min(Math.max(0, ms), MAX_TIMER_MS), undefined, options).catch(() => undefined);
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sinceBoot,
  sleep: (ms, signal) => sleep(ms, signal, true),
};

/** The same clocks; a process does not wait for their sleeps when nothing else is left to do. */
export const backgroundClock: Clock = { ...systemClock, sleep: (ms, signal) => sleep(ms, signal, false) };
