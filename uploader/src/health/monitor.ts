import type { Logger } from '@thugshells/shared/logging/logger.ts';
import type { Judgement } from '@thugshells/shared/state/uploader-report.ts';

import { healthOf, oldestPendingSeconds, severity, type Component, type HealthLimits, type Status } from './rules.ts';
import type { Snapshot, Snapshots } from '../telemetry/snapshot.ts';
import { statusOf, type BoxStatus } from './status.ts';

/** The report of /health. */
export interface HealthReport {
  readonly status: Status;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly version: string;
  readonly uptime_seconds: number;
  readonly device_id: string;
  readonly components: Readonly<Record<string, Component & { readonly since: string }>>;
}

export interface HealthMonitorOptions {
  readonly logger: Logger;
  readonly snapshots: Pick<Snapshots, 'take'>;
  readonly limits: HealthLimits;
  readonly version: string;
  readonly deviceId: string;
  /** What degrades the box whatever it does, such as a variable that no program knows. */
  readonly configurationWarnings: readonly string[];
}

/** Judges snapshots, remembers since when each component is as it is, and logs each change once. */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #since = new Map<string, { readonly status: Status; readonly at: string }>();

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
  }

  report(): HealthReport {
    return this.reportOf(this.#options.snapshots.take());
  }

  /** The report with the numbers behind it. */
  status(): BoxStatus {
    const snapshot = this.#options.snapshots.take();
    return statusOf(this.reportOf(snapshot), snapshot);
  }

  /** The report in two numbers, of a snapshot or of this moment. */
  judgement(snapshot: Snapshot = this.#options.snapshots.take()): Judgement {
    return {
      health: severity[this.reportOf(snapshot).status],
      oldestPendingSeconds: Math.round(oldestPendingSeconds(snapshot)),
    };
  }

  reportOf(snapshot: Snapshot): HealthReport {
    const { version, deviceId, limits } = this.#options;
    const timestamp = new Date(snapshot.nowMs).toISOString();
    const verdict = healthOf(snapshot, limits, this.#options.configurationWarnings);
    const components = Object.fromEntries(
      Object.entries(verdict.components).map(([name, component]) => [
        name,
        { ...component, since: this.#note(name, component, timestamp) },
      ]),
    );
    return {
      status: verdict.status,
      timestamp,
      version,
      uptime_seconds: Math.round(snapshot.uptimeSeconds),
      device_id: deviceId,
      components,
    };
  }

  #note(name: string, { status, message }: Component, now: string): string {
    const before = this.#since.get(name);
    if (before?.status === status) return before.at;
    this.#since.set(name, { status, at: now });
    const fields = { component: name, from: before?.status ?? 'unknown', to: status, reason: message };
    if (status !== 'ok') this.#options.logger.warn('health changed', fields);
    else if (before !== undefined) this.#options.logger.info('health changed', fields);
    return now;
  }
}
