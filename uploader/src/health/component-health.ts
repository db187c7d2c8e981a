/** ok: no action needed; degraded: it works, but somebody should look; error: samples are being lost or will be. */
export type HealthStatus = 'ok' | 'degraded' | 'error';

/** The health of one component of the device. */
export interface ComponentHealth {
  readonly status: HealthStatus;
  /** What is wrong and what to do about it. */
  readonly message: string;
  /** Facts; times as RFC 3339. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The value that is exported for each status; a higher one is worse. */
export const severity: Readonly<Record<HealthStatus, number>> = { ok: 0, degraded: 1, error: 2 };

/** Returns the most severe of some statuses; ok for none. */
export function worstStatus(statuses: readonly HealthStatus[]): HealthStatus {
  return statuses.reduce((a, b) => (severity[b] > severity[a] ? b : a), 'ok');
}
