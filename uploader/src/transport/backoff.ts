/** The waits between attempts. */
export interface BackoffPolicy {
  readonly initialMs: number;
  readonly multiplier: number;
  readonly maxMs: number;
  /** Share by which each wait varies at random: 0.2 is ±20 %. */
  readonly jitter: number;
}

/**
 * Returns the milliseconds to wait after attempt number `attempt` (from 1) has failed: initial × multiplier^(attempt − 1),
 * at most `maxMs`, then varied at random. The jitter is added after the cap, so that a fleet stays spread at the cap too.
 *
 * @param random from 0 up to, but not including, 1
 */
export function calculateBackoff(attempt: number, policy: BackoffPolicy, random: () => number): number {
  const waitMs = Math.min(policy.initialMs * policy.multiplier ** (attempt - 1), policy.maxMs);
  return waitMs * (1 + policy.jitter * (2 * random() - 1));
}
