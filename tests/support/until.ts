import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `condition` gives a value that is not undefined or false; fails with `what` at the deadline. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 30_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = Date.now() + deadlineMs;
  let lastError: unknown;
  while (Date.now() < deadline) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      lastError = error;
    }
    await delay(50);
  }
  throw new Error(`waited ${deadlineMs} ms in vain until ${what}`, { cause: lastError });
}
