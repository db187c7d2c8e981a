import type { UnhealthyComponent } from '@thugshells/shared/state/unhealthy-components.ts';

/** ok: no action needed; degraded: it works, but somebody should look; error: samples are being lost or will be. */
export type HealthStatus = 'ok' | 'degraded' | 'error';

/**
 * Why a component is not ok. A label of series: the list is short, and a message with its times and paths is none of it.
 * docs/health-monitoring.md has the meaning of each.
 */
export const HEALTH_REASONS = [
  'all_collectors_failing',
  'backlog',
  'clock_skewed',
  'database_locked',
  'database_set_aside',
  'database_unreadable',
  'internal_error',
  'missing_at_receiver',
  'no_heartbeat',
  'no_upload',
  'not_running',
  'nothing_stored',
  'refused_by_receiver',
  'samples_dropped',
  'samples_held',
  'samples_rejected',
  'samples_too_old',
  'scrape_failing',
  'scrape_overdue',
  'starting',
  'unknown_variable',
  'upload_failing',
  'waiting_for_database',
  'wal_checkpoints_blocked',
  'wal_too_large',
  'write_failing',
] as const;
export type HealthReason = (typeof HEALTH_REASONS)[number];

/** The health of one component of the device. */
export type ComponentHealth = {
  /** What is wrong and what to do about it. */
  readonly message: string;
  /** Facts; times as RFC 3339. */
  readonly details: Readonly<Record<string, unknown>>;
} & (
  | { readonly status: 'ok'; readonly reason?: undefined }
  | { readonly status: 'degraded' | 'error'; readonly reason: HealthReason }
);

/** The value that is exported for each status; a higher one is worse. */
export const severity: Readonly<Record<HealthStatus, 0 | 1 | 2>> = { ok: 0, degraded: 1, error: 2 };

/** Returns the most severe of some statuses; ok for none. */
export function worstStatus(statuses: readonly HealthStatus[]): HealthStatus {
  return statuses.reduce((a, b) => (severity[b] > severity[a] ? b : a), 'ok');
}

/** Lists the components that are not ok. While the collector's process is in error, each collector is late: those are left out. */
export function listUnhealthy(components: Readonly<Record<string, ComponentHealth>>): UnhealthyComponent[] {
  const isProcessDown = components['collector']?.status === 'error';
  return Object.entries(components).flatMap(([component, { status, reason }]) =>
    reason === undefined || (isProcessDown && component.startsWith('collector.'))
      ? []
      : [{ component, reason, health: severity[status] }],
  );
}
