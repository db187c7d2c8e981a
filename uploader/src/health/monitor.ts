import { systemClock, type Clock } from '@thugshells/shared/clock.ts';
import { listDeviceNotices } from '@thugshells/shared/config/default-device-names.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';
import type { Judgement } from '@thugshells/shared/state/uploader-report.ts';

import type { Snapshot, Snapshots } from '../telemetry/snapshot.ts';
import { listUnhealthy, severity, type ComponentHealth, type HealthStatus } from './component-health.ts';
import { toDeviceStatus, type DeviceStatus } from './device-status.ts';
import type { HealthReport } from './health-report.ts';
import { evaluateHealth, UPLOADER_LOG, type HealthLimits } from './rules.ts';
import { oldestPendingSeconds } from './upload-progress.ts';

export interface HealthMonitorOptions {
  /** The machine's own by default. */
  readonly clock?: Clock;
  readonly logger: Logger;
  readonly snapshots: Pick<Snapshots, 'take'>;
  readonly limits: HealthLimits;
  readonly version: string;
  readonly deviceId: string;
  /** What degrades the device in every snapshot, such as an unknown variable. */
  readonly configurationWarnings: readonly string[];
  /** Where samples are sent to; without secrets in what is shown of it. */
  readonly remoteUrl?: string;
}

/** Evaluates snapshots, tracks since when each component has had its status, and logs each change once. */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  /** By the monotonic clock. */
  readonly #startedAt: number;
  /** Since when the database cannot be read, RFC 3339. */
  #unreadableSince: string | undefined;
  readonly #since = new Map<string, { readonly status: HealthStatus; readonly at: string }>();
  readonly #logged = new Map<string, HealthStatus>();

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#startedAt = (options.clock ?? systemClock).monotonic();
  }

  report(): HealthReport {
    return this.evaluate(this.#options.snapshots.take());
  }

  /** Returns the report of a device whose database cannot be read. The cause is in the log only: anybody may ask. */
  unreadableReport(): HealthReport {
    const { clock = systemClock } = this.#options;
    const message = `cannot read the database; ${UPLOADER_LOG}`;
    const storage = { status: 'error', reason: 'database_unreadable', message, details: {} } as const;
    const at = formatTime(clock.now());
    this.#unreadableSince ??= at;
    return {
      ...this.#describeDevice(at, (clock.monotonic() - this.#startedAt) / 1000),
      status: 'error',
      components: { storage: { ...storage, since: this.#unreadableSince } },
    };
  }

  /** Returns the report together with the numbers behind it. */
  status(): DeviceStatus {
    const snapshot = this.#options.snapshots.take();
    return toDeviceStatus(this.evaluate(snapshot), snapshot, this.#options.remoteUrl);
  }

  /** Returns the report as what is exported of it, of a given snapshot or of a new one. */
  judgement(snapshot: Snapshot = this.#options.snapshots.take()): Judgement {
    const { status, components } = this.evaluate(snapshot);
    return {
      health: severity[status],
      unhealthy: listUnhealthy(components),
      oldestPendingSeconds: Math.round(oldestPendingSeconds(snapshot)),
    };
  }

  evaluate(snapshot: Snapshot): HealthReport {
    const { limits, configurationWarnings: warnings, deviceId } = this.#options;
    const at = formatTime(snapshot.nowMs);
    this.#unreadableSince = undefined;
    const health = evaluateHealth(snapshot, limits, { warnings, notices: listDeviceNotices(deviceId) });
    const { isStarting } = health;
    const components = Object.fromEntries(
      Object.entries(health.components).map(([name, component]) => [
        name,
        { ...component, since: this.#trackStatus(name, component.status, at) },
      ]),
    );
    // To be starting is nothing to warn of; what is still wrong then is.
    if (!isStarting) for (const [name, component] of Object.entries(components)) this.#logChange(name, component);
    const device = this.#describeDevice(at, snapshot.uptimeSeconds);
    return { ...device, status: health.status, ...(isStarting ? { starting: true } : {}), components };
  }

  #describeDevice(timestamp: string, uptimeSeconds: number) {
    const { version, deviceId } = this.#options;
    return { timestamp, version, uptime_seconds: Math.round(uptimeSeconds), device_id: deviceId };
  }

  /** Returns since when the component has had this status. */
  #trackStatus(name: string, status: HealthStatus, now: string): string {
    const before = this.#since.get(name);
    if (before?.status === status) return before.at;
    this.#since.set(name, { status, at: now });
    return now;
  }

  #logChange(name: string, { status, message }: ComponentHealth): void {
    const from = this.#logged.get(name);
    if (from === status) return;
    this.#logged.set(name, status);
    const fields = { component: name, from: from ?? 'unknown', to: status, reason: message };
    if (status !== 'ok') this.#options.logger.warn('health changed', fields);
    else if (from !== undefined) this.#options.logger.info('health changed', fields);
  }
}
