import type { Clock } from './clock.ts';

export interface TickerOptions {
  /** Between two ticks, in milliseconds, greater than 0; a function is called after each tick. */
  readonly intervalMs: number | (() => number);
  /** Before the first tick, in milliseconds; 0 by default. */
  readonly firstInMs?: number;
  /** Ends the ticks, also while one is waited for. */
  readonly stop: AbortSignal;
}

/**
 * Ticks at a fixed rate until `stop` is aborted: `for await (const _ of ticks(clock, options)) work();`.
 *
 * Ticks lie on multiples of the interval from the first one on, by the monotonic clock. Those that pass while the work
 * of an earlier one takes its time are skipped: work that is slow is never repeated to catch up.
 */
export async function* ticks(
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
  { intervalMs, firstInMs = 0, stop }: TickerOptions,
): AsyncGenerator<void> {
  let dueAt = clock.monotonic() + firstInMs;
  if (firstInMs > 0) await clock.sleep(firstInMs, stop);
  while (!stop.aborted) {
    yield;
    const stepMs = typeof intervalMs === 'number' ? intervalMs : intervalMs();
    const lateMs = clock.monotonic() - dueAt;
    dueAt += stepMs * Math.max(1, Math.ceil(lateMs / stepMs));
    // Also if the next tick is due at once: the event loop runs in between.
    await clock.sleep(dueAt - clock.monotonic(), stop);
  }
}
