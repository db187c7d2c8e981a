import type { Clock } from '@thugshells/shared/clock.ts';
import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { AgentError, isEnvironmentError, toErrorMessage } from '@thugshells/shared/errors.ts';
import type { Journal } from '@thugshells/shared/logging/journal.ts';
import { toErrorFields } from '@thugshells/shared/logging/logger.ts';
import { runScope, type ScopedWork, type ResourceStack } from '@thugshells/shared/process/lifecycle.ts';
import type { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

import { createUploader, openQueue, type AgentContext, type Queue } from './agent.ts';
import { DeliveryVerification } from './delivery-verification.ts';
import { calculateUploadDelayMs } from './delivery/upload-phase.ts';
import { statusLine } from './health/status-text.ts';
import type { HealthMonitor } from './health/monitor.ts';
import { WaitingStatus } from './health/waiting-status.ts';
import { listenWithRetry } from './http/listen.ts';
import { StatusServer } from './http/server.ts';
import { createStatusKey } from './http/status-proof.ts';
import { DatabaseWatch } from './queue/database-watch.ts';
import { openWhenReady } from './queue/open-when-ready.ts';
import { ReplacedFiles } from './queue/replaced-files.ts';
import { createQueryClient, createReceiverClient } from './receiver-client.ts';
import { createStatusReporting } from './status-reporting.ts';
import { StatusSwitch } from './status-switch.ts';
import type { Surroundings } from './surroundings.ts';
import { UploadCounters } from './telemetry/upload-counters.ts';
import { hasRouteTo } from './transport/network-link.ts';
import type { SendResult } from './transport/transport.ts';

export interface ServiceOptions extends AgentContext {
  /** The warnings and errors of this process, behind `logger`. */
  readonly journal: Journal;
  readonly version: string;
  readonly bootId: string | undefined;
  /** Unix milliseconds. */
  readonly builtAtMs: number;
  readonly configurationWarnings: readonly string[];
  readonly surroundings: Surroundings;
  readonly encodeWorkerFile: string;
  readonly historyWorkerFile: string;
  readonly manager: ServiceManager;
}

interface DatabaseOptions extends ServiceOptions {
  /** What is done on timers, whatever database is open. */
  readonly recurring: RecurringWork;
  readonly status: StatusSwitch;
  readonly statusKey: string;
  /** The files of the database that was open before, if they were replaced. */
  readonly replaced: ReplacedFiles | undefined;
  readonly onOpened: (watch: DatabaseWatch) => void;
}

/** Health is judged at least this often, so that each change is logged soon after it. */
const JUDGE_INTERVAL_MS = 10_000;
/** How long to wait before the database is opened again after it could not be used. */
const REOPEN_INTERVAL_MS = 5_000;
/** How often the files of the database are looked at; stat(2) costs microseconds. */
const WATCH_INTERVAL_MS = 1_000;

/** Uploads until `stop` is aborted, from one database after the other. */
export async function runUploader(options: ServiceOptions, resources: ResourceStack, stop: AbortSignal): Promise<void> {
  const { logger, config, manager, version, configurationWarnings } = options;
  logger.info('uploader started', { version, device_id: config.deviceId, path: config.dbPath });
  for (const warning of configurationWarnings) logger.warn('unknown variable', { error: warning });
  resources.add('instance lock', takeInstanceLock(config.dbPath, 'uploader'), (lock) => lock.release());
  manager.reportReady('waiting for the database');
  const statusKey = createStatusKey();
  const status = createStatusServer({ ...options, statusKey }, resources, stop);
  let watch: DatabaseWatch | undefined;
  const recurring = new RecurringWork({ ...options, onFailure: (error) => watch?.reportCorruption(error) });
  let replaced: ReplacedFiles | undefined;
  // When the collector has replaced the database by another file, the whole agent is created again.
  while (!stop.aborted) {
    const upload: ScopedWork = async (...part) => {
      const onOpened = (opened: DatabaseWatch): void => void (watch = opened);
      const context = { ...options, recurring, status, statusKey, replaced, onOpened };
      replaced = (await uploadFromDatabase(context, ...part)) ?? replaced;
    };
    await runScope(logger, stop, upload).catch((error: unknown) => waitToReopen(error, { ...options, status }, stop));
  }
}

/** Waits after an error of the disk or the database; any other one ends the program. */
async function waitToReopen(
  error: unknown,
  { clock, logger, config, status }: ServiceOptions & { readonly status: StatusSwitch },
  stop: AbortSignal,
): Promise<void> {
  if (error instanceof AgentError || !isEnvironmentError(error)) throw error;
  logger.error('cannot use database, will reopen', { path: config.dbPath, ...toErrorFields(error) });
  status.attempted(`cannot use it: ${toErrorMessage(error)}`);
  await clock.sleep(REOPEN_INTERVAL_MS, stop);
}

/** Creates the server of health, metrics and the status page, which outlives every database. */
function createStatusServer(
  {
    clock,
    logger,
    config,
    journal,
    version,
    configurationWarnings,
    statusKey,
  }: ServiceOptions & { readonly statusKey: string },
  resources: ResourceStack,
  stop: AbortSignal,
): StatusSwitch {
  const { deviceId, healthHost, healthPort } = config;
  const waiting = new WaitingStatus({
    clock,
    version,
    deviceId,
    configurationWarnings,
    journal: () => journal.entries,
  });
  const status = new StatusSwitch({ waiting, device: config });
  const statusServer = new StatusServer({ logger, statusKey, ...status.sources });
  const listening = { statusServer, clock, logger, healthHost, healthPort };
  status.onFirstUse((onListening) => listenWithRetry(listening, stop, onListening));
  resources.add('health endpoint', statusServer, (open) => open.close());
  return status;
}

/** Uploads from one database; returns its files if they were replaced. */
async function uploadFromDatabase(
  options: DatabaseOptions,
  ...[resources, stop, end]: Parameters<ScopedWork>
): Promise<ReplacedFiles | undefined> {
  const { clock, logger, config, manager, recurring, status } = options;
  const database = await waitForDatabase(options, stop);
  if (database === undefined) return undefined;
  resources.add('database', database, (open) => void open.close());
  manager.reportStatus('uploading');
  const { queue, client, queryClient, uploader, verification, reporting } = openAgent(database, options, stop);
  const { monitor, reportWriter, healthSender, history } = reporting;
  resources.add('encoder', uploader.encoder, (pool) => pool.close());
  resources.add('connections', client, (open) => open.close());
  if (queryClient !== undefined) resources.add('query connections', queryClient, (open) => open.close());
  resources.add('report', reportWriter, (writer) => writer.write());
  resources.add('history', history, (thread) => thread.close());
  resources.add('status', status, (each) => each.hide());
  await status.show(reporting);
  await Promise.all([
    uploader.run().finally(end),
    manager.reportProgressWhile(() => uploader.loop.isLive, stop),
    judgeHealth({ recurring, manager, monitor, stop }),
    queue.untimedRows.run(recurring, stop),
    verification.run(stop),
    reportWriter.run(stop),
    healthSender.run(recurring, stop),
    endWhenReplaced(queue, { clock, stop, end }),
  ]);
  if (!queue.watch.isReplaced) return undefined;
  logger.warn('database replaced, reopening', { path: config.dbPath });
  return new ReplacedFiles(queue.watch.filesWithCreation!, clock);
}

function waitForDatabase(options: DatabaseOptions, stop: AbortSignal): Promise<Database | undefined> {
  const { clock, logger, config, manager, status, replaced } = options;
  const onAttempt = (reason: string): void => {
    manager.reportProgress();
    manager.reportStatus(`waiting for the database: ${reason}`);
    status.attempted(reason);
  };
  const findObstacle = (path: string): string | undefined => replaced?.findObstacle(path);
  return openWhenReady(config.dbPath, { clock, logger, stop, onAttempt, findObstacle });
}

/** Creates the agent; corruption that it meets is reported to the collector, which replaces the database. */
function openAgent(database: Database, options: DatabaseOptions, stop: AbortSignal) {
  const { clock, logger, config, onOpened } = options;
  const watch = new DatabaseWatch(database, { path: config.dbPath, clock, logger });
  try {
    const queue = openQueue(database, options, watch);
    onOpened(watch);
    return { queue, ...createAgent(queue, options, stop) };
  } catch (error) {
    watch.reportCorruption(error);
    throw error;
  }
}

/** Ends the work on a database whose files were replaced, also while nothing is uploaded. */
async function endWhenReplaced(
  { watch }: Queue,
  { clock, stop, end }: { readonly clock: Clock; readonly stop: AbortSignal; readonly end: () => void },
): Promise<void> {
  for await (const _ of ticks(clock, { intervalMs: WATCH_INTERVAL_MS, stop })) if (watch.isReplaced) end();
}

function createAgent(queue: Queue, options: DatabaseOptions, stop: AbortSignal) {
  const { clock, logger, config, bootId, builtAtMs, encodeWorkerFile } = options;
  const { recurring, statusKey, version, configurationWarnings, historyWorkerFile, journal } = options;
  const counters = new UploadCounters();
  const client = createReceiverClient(options);
  const isLinkUp = (): boolean => hasRouteTo(config.remoteUrl);
  const onAttempt = (result: SendResult, samples: number): void => counters.posted(result, samples);
  const queryClient = createQueryClient(options);
  const firstCycleInMs = calculateUploadDelayMs(config.deviceId, config.uploadIntervalMs, clock.now());
  const uploads = {
    client,
    bootId,
    builtAtMs,
    encodeWorkerFile,
    isLinkUp,
    random: Math.random,
    firstCycleInMs,
    onAttempt,
    findFlags: queryClient && ((signal: AbortSignal) => queryClient.findFlags(signal)),
    stop,
  };
  const uploader = createUploader(queue, { clock, logger, config, ...uploads });
  const verification = new DeliveryVerification({ clock, logger, config, queue, uploader, queryClient, recurring });
  const status = { statusKey, version, configurationWarnings, verification: () => verification.state };
  const telemetry = { client, recurring, counters, historyWorkerFile, journal, ...status };
  const reporting = createStatusReporting(queue, uploader, { clock, logger, config, ...telemetry });
  return { client, queryClient, uploader, verification, reporting };
}

interface JudgeOptions {
  readonly recurring: RecurringWork;
  readonly manager: ServiceManager;
  readonly monitor: HealthMonitor;
  readonly stop: AbortSignal;
}

async function judgeHealth({ recurring, manager, monitor, stop }: JudgeOptions): Promise<void> {
  const work = (): void => manager.reportStatus(statusLine(monitor.status()));
  const ticker = { intervalMs: JUDGE_INTERVAL_MS, firstInMs: JUDGE_INTERVAL_MS, stop };
  await recurring.run({ message: 'cannot judge health, will retry', work }, ticker);
}
