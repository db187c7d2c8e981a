import type { Clock } from '@thugshells/shared/clock.ts';
import { requireSupportedSchema } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';
import { describeLock, findLockHolder } from '@thugshells/shared/database/write-lock.ts';
import { AgentError, ExitCode, toExitCode } from '@thugshells/shared/errors.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import type { ClockSkewPolicy } from '@thugshells/shared/state/receiver-clock.ts';

import { Backlog } from '../queue/backlog.ts';
import type { DatabaseLock } from '../queue/lock-watch.ts';
import { toStoppedState } from '../telemetry/uploader-state.ts';
import { ReceiverClockTable } from '../clock/receiver-clock-table.ts';
import { SettledRanges } from '../queue/settled-ranges.ts';
import type { HealthStatus } from '../health/component-health.ts';
import type { HealthLimits } from '../health/rules.ts';
import { HealthMonitor } from '../health/monitor.ts';
import { Snapshots } from '../telemetry/snapshot.ts';
import type { DeviceStatus } from '../health/device-status.ts';
import { statusText } from '../health/status-text.ts';
import { CollectorStateReader } from '../telemetry/collector-state-reader.ts';
import { ReportTable } from '../telemetry/report-table.ts';
import { fetchStatus } from './fetch-status.ts';

/** The part of the configuration that the status depends on. */
export interface StatusConfig extends HealthLimits {
  readonly dbPath: string;
  readonly deviceId: string;
  readonly remoteUrl?: string;
  readonly clockSkewPolicy: ClockSkewPolicy;
  readonly batchMetrics: number;
}

export interface StatusOptions {
  readonly clock: Clock;
  readonly config: StatusConfig;
  readonly version: string;
  readonly bootId: string | undefined;
  readonly configurationWarnings: readonly string[];
}

export interface StatusCommandOptions extends StatusOptions {
  /** Prints JSON in place of text. */
  readonly asJson: boolean;
  /** Whether the text has ANSI colors. */
  readonly isColored: boolean;
}

/** The state of this device, and why it is not the uploader's own if that runs. */
export interface DeviceReading {
  readonly status: DeviceStatus;
  readonly problem: string | undefined;
}

const exitCodes: Readonly<Record<HealthStatus, number>> = { ok: 0, degraded: 1, error: 2 };

/**
 * Prints the state of this device for a person or a script.
 *
 * @returns exit code 0, 1 or 2 for ok, degraded, error
 * @throws AgentError STATUS_UNREADABLE if neither the uploader nor the database shows it
 */
export async function statusCommand(options: StatusCommandOptions): Promise<CommandResult> {
  const { status, problem } = await readDeviceStatus(options).catch((error: unknown) => {
    if (!(error instanceof AgentError) || toExitCode(error) !== ExitCode.fault) throw error;
    throw new AgentError(error.message, {
      code: 'STATUS_UNREADABLE',
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  });
  const text = options.asJson ? `${JSON.stringify(status, null, 2)}\n` : statusText(status, options.isColored);
  return { text, exitCode: exitCodes[status.status], problems: problem === undefined ? [] : [problem] };
}

/**
 * Reads the state of this device: from the uploader if it runs, else from the database.
 *
 * @throws AgentError DATABASE_MISSING, DATABASE_UNUSABLE, DATABASE_TOO_NEW or DATABASE_NOT_PREPARED
 */
export async function readDeviceStatus(options: StatusOptions): Promise<DeviceReading> {
  const database = openDatabase(options.config.dbPath, { readonly: true });
  try {
    requireSchema(database);
    const { status: fetched, problem } = await fetchStatus(new ReportTable(database).load() ?? {});
    const isOfThisDevice = fetched?.device_id === options.config.deviceId;
    return { status: isOfThisDevice ? fetched : readStatus(database, options), problem };
  } finally {
    database.close();
  }
}

function requireSchema(database: Database): void {
  requireSupportedSchema(database);
  const version = schemaVersion(database);
  if (version === SCHEMA_VERSION) return;
  throw new AgentError(
    `cannot read the database: it has schema version ${version}, this program needs ${SCHEMA_VERSION}`,
    {
      code: 'DATABASE_NOT_PREPARED',
      hint: 'start the collector, which migrates the database',
    },
  );
}

/** Finds the lock by /proc alone: this connection only reads. */
function findLock(dbPath: string): DatabaseLock | undefined {
  if (findLockHolder(dbPath) === undefined) return undefined;
  return { description: describeLock(dbPath), delaysAcknowledgements: false };
}

function readStatus(
  database: Database,
  { clock, config, version, bootId, configurationWarnings }: StatusOptions,
): DeviceStatus {
  const settled = new SettledRanges(database);
  const receiverNowMs = new ReceiverClockTable(database, bootId).receiverNow(clock.sinceBoot());
  const skewMs = receiverNowMs === undefined ? undefined : clock.now() - receiverNowMs;
  const nowMs = config.clockSkewPolicy === 'correct' ? (receiverNowMs ?? clock.now()) : clock.now();
  const uploads = toStoppedState(new ReportTable(database).load(), { nowMs, skewMs });
  const snapshots = new Snapshots({
    clock,
    collectorState: new CollectorStateReader(database, config.dbPath),
    backlog: new Backlog(database, settled),
    settled: () => settled.readRanges(),
    uploaderState: () => uploads,
    findLock: () => findLock(config.dbPath),
    journal: () => [],
    batchMetrics: config.batchMetrics,
  });
  return new HealthMonitor({
    clock,
    logger: silentLogger,
    snapshots,
    limits: config,
    version,
    deviceId: config.deviceId,
    ...(config.remoteUrl === undefined ? {} : { remoteUrl: config.remoteUrl }),
    configurationWarnings,
  }).status();
}
