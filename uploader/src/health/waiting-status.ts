import type { Clock } from '@thugshells/shared/clock.ts';
import { listDeviceNotices } from '@thugshells/shared/config/default-device-names.ts';
import type { JournalEntry } from '@thugshells/shared/logging/journal.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import { COLLECTOR_STATUS } from './collector-rules.ts';
import { severity, type ComponentHealth, type HealthStatus } from './component-health.ts';
import { configurationHealth } from './configuration-rule.ts';
import type { DeviceStatus } from './device-status.ts';
import type { HealthReport } from './health-report.ts';
import { refreshJournal } from './journal-lines.ts';

export interface WaitingStatusOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly deviceId: string;
  /** What degrades the device at any time, such as an unknown variable. */
  readonly configurationWarnings: readonly string[];
  /** The uploader's own warnings and errors. */
  readonly journal: () => readonly JournalEntry[];
}

/** The collector creates or replaces a database within seconds; if it takes longer, samples may be lost. */
const ERROR_AFTER_MS = 30_000;
/** Attempts to open the database are half a second apart. */
const STALLED_AFTER_MS = 60_000;
const NO_BOOKS = { collected: 0, delivered: 0, pending: 0, rejected: 0, dropped: 0 } as const;

/** The health of the device while the uploader waits for the database. */
export class WaitingStatus {
  readonly #options: WaitingStatusOptions;
  readonly #startedAt: number;
  #reason = 'it has not been opened yet';
  #sinceMs: number;
  #since: number;
  #attemptedAt: number;
  /** What was known when the database was closed. */
  #last: DeviceStatus | undefined;

  constructor(options: WaitingStatusOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    this.#since = this.#startedAt;
    this.#attemptedAt = this.#startedAt;
    this.#sinceMs = options.clock.now();
  }

  /** Whether the database is tried again and again. */
  get isLive(): boolean {
    return this.#options.clock.monotonic() - this.#attemptedAt < STALLED_AFTER_MS;
  }

  /** 0 ok, 1 degraded, 2 error. */
  get health(): number {
    return severity[this.#status];
  }

  /** The waiting begins. @param last what was known of the database that was open */
  begin(reason: string, last: DeviceStatus | undefined): void {
    const { clock } = this.#options;
    this.#since = clock.monotonic();
    this.#sinceMs = clock.now();
    this.#last = last ?? this.#last;
    this.attempted(reason);
  }

  /** The database could not be opened. */
  attempted(reason: string): void {
    this.#reason = reason;
    this.#attemptedAt = this.#options.clock.monotonic();
  }

  report(): HealthReport {
    const { clock, version, deviceId } = this.#options;
    const since = formatTime(this.#sinceMs);
    const components = Object.entries(this.#components()).map(([name, each]) => [name, { ...each, since }] as const);
    return {
      status: this.#status,
      ...(this.#isStarting ? { starting: true as const } : {}),
      timestamp: formatTime(clock.now()),
      version,
      uptime_seconds: Math.round((clock.monotonic() - this.#startedAt) / 1000),
      device_id: deviceId,
      components: Object.fromEntries(components),
    };
  }

  /** Returns the report with the numbers that were known last. */
  status(): DeviceStatus {
    const report = this.report();
    const unknown = { condition: 'unknown', reason: '', since: formatTime(this.#sinceMs) } as const;
    const { books = NO_BOOKS, uploads = [], receiver = unknown } = this.#last ?? {};
    const reason = `storage: ${report.components['storage']!.message}`;
    const journal = refreshJournal(this.#last?.journal ?? [], this.#options.journal());
    return { ...report, reason, books, backlog: { held: 0 }, uploads, receiver, per_day: {}, journal };
  }

  get #status(): Exclude<HealthStatus, 'ok'> {
    return this.#options.clock.monotonic() - this.#since < ERROR_AFTER_MS ? 'degraded' : 'error';
  }

  /** Whether no database was open yet, and it is not late. */
  get #isStarting(): boolean {
    return this.#last === undefined && this.#status !== 'error';
  }

  #components(): Record<string, ComponentHealth> {
    const { configurationWarnings: warnings, deviceId } = this.#options;
    const storage: ComponentHealth = {
      status: this.#status,
      reason: 'waiting_for_database',
      message: `waiting for the database: ${this.#reason}; ${COLLECTOR_STATUS}`,
      details: {},
    };
    const uploader: ComponentHealth = {
      status: 'degraded',
      reason: 'waiting_for_database',
      message: 'no uploads without the database',
      details: {},
    };
    return { uploader, storage, ...configurationHealth({ warnings, notices: listDeviceNotices(deviceId) }) };
  }
}
