import type { ComponentHealth, HealthStatus } from './component-health.ts';

/** The body of /health. */
export interface HealthReport {
  readonly status: HealthStatus;
  /** Present while the programs have just started and nothing is known to be wrong. */
  readonly starting?: true;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly version: string;
  readonly uptime_seconds: number;
  readonly device_id: string;
  readonly components: Readonly<Record<string, ComponentHealth & { readonly since: string }>>;
}
