/** How long to wait between tries. */
export interface BackoffPolicy {
  readonly initialMs: number;
  readonly multiplier: number;
  readonly maxMs: number;
  /** Share by which each wait varies at random: 0.2 is ±20 %. */
  readonly jitter: number;
}

/**
 * Milliseconds to wait after try number `attempt` (from 1) has failed: initial × multiplier^(attempt − 1), capped,
 * then varied at random. The jitter comes after the cap, so that it never vanishes there and a fleet stays spread.
 *
 * @param random from 0 up to, but not including, 1
 */
export function calculateBackoff(attempt: number, policy: BackoffPolicy, random: () => number): number {
  const waitMs = Math.min(policy.initialMs * policy.multiplier ** (attempt - 1), policy.maxMs);
  return waitMs * (1 + policy.jitter * (2 * random() - 1));
}
