import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';
import { AgentError, isEnvironmentError } from '@thugshells/shared/errors.ts';
import { toErrorFields } from '@thugshells/shared/logging/logger.ts';
import { runScope, type ScopedWork, type ResourceStack } from '@thugshells/shared/process/lifecycle.ts';
import type { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import { RecurringWork } from '@thugshells/shared/recurring-work.ts';

import { createStatusServer, createUploader, openQueue, type AgentContext, type Queue } from './agent.ts';
import { calculateUploadDelayMs } from './delivery/upload-phase.ts';
import { statusLine } from './health/status-text.ts';
import type { HealthMonitor } from './health/monitor.ts';
import { listenWithRetry } from './http/listen.ts';
import { openWhenReady } from './queue/open-when-ready.ts';
import type { Surroundings } from './surroundings.ts';
import { UploadCounters } from './telemetry/upload-counters.ts';
import { Credentials } from './transport/credentials.ts';
import { HttpTransport } from './transport/http-transport.ts';
import { hasRouteTo } from './transport/network-link.ts';
import { RemoteWriteProtocol } from './transport/remote-write.ts';
import type { SendResult } from './transport/transport.ts';
import { VictoriaMetricsProtocol } from './transport/victoriametrics.ts';

export interface ServiceOptions extends AgentContext {
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
}

/** Health is judged at least this often, so that each change is logged soon after it. */
const JUDGE_INTERVAL_MS = 10_000;
/** How long to wait before the database is opened again after it could not be used. */
const REOPEN_INTERVAL_MS = 5_000;

/** Uploads until `stop` is aborted, from one database after the other. */
export async function runUploader(options: ServiceOptions, resources: ResourceStack, stop: AbortSignal): Promise<void> {
  const { logger, config, manager, version, configurationWarnings } = options;
  logger.info('uploader started', { version, device_id: config.deviceId, path: config.dbPath });
  for (const warning of configurationWarnings) logger.warn('unknown variable', { error: warning });
  resources.add('instance lock', takeInstanceLock(config.dbPath, 'uploader'), (lock) => lock.release());
  manager.reportReady('waiting for the database');
  const recurring = new RecurringWork(options);
  // When the collector has replaced a corrupt database by a new one, the whole agent is created again.
  while (!stop.aborted) {
    const upload: ScopedWork = (...part) => uploadFromDatabase({ ...options, recurring }, ...part);
    await runScope(logger, stop, upload).catch((error: unknown) => waitToReopen(error, options, stop));
  }
}

/** Waits after an error of the disk or the database; any other one ends the program. */
async function waitToReopen(error: unknown, { clock, logger, config }: ServiceOptions, stop: AbortSignal) {
  if (error instanceof AgentError || !isEnvironmentError(error)) throw error;
  logger.error('cannot use database, will reopen', { path: config.dbPath, ...toErrorFields(error) });
  await clock.sleep(REOPEN_INTERVAL_MS, stop);
}

async function uploadFromDatabase(
  options: DatabaseOptions,
  ...[resources, stop, end]: Parameters<ScopedWork>
): Promise<void> {
  const { clock, logger, config, manager, recurring } = options;
  const onAttempt = (reason: string): void => {
    manager.reportProgress();
    manager.reportStatus(`waiting for the database: ${reason}`);
  };
  const database = await openWhenReady(config.dbPath, { clock, logger, stop, onAttempt });
  if (database === undefined) return;
  resources.add('database', database, (open) => void open.close());
  manager.reportStatus('uploading');
  const queue = openQueue(database, { clock, logger, config });
  const { client, uploader, statusServer } = createAgent(queue, options, stop);
  const { own, monitor, reportWriter, history, server } = statusServer;
  resources.add('encoder', uploader.encoder, (pool) => pool.close());
  resources.add('connections', client, (open) => open.close());
  resources.add('report', reportWriter, (writer) => writer.write());
  resources.add('history', history, (thread) => thread.close());
  resources.add('health endpoint', server, (open) => open.close());
  const { healthHost, healthPort } = config;
  const listening = { statusServer: server, clock, logger, healthHost, healthPort };
  await listenWithRetry(listening, stop, (endpoint) => (own.endpoint = endpoint));
  await Promise.all([
    uploader.run().finally(end),
    manager.reportProgressWhile(() => uploader.loop.isLive, stop),
    judgeHealth({ recurring, manager, monitor, stop }),
    queue.untimedRows.run(recurring, stop),
    reportWriter.run(stop),
  ]);
  if (queue.watch.isReplaced) logger.warn('database replaced, reopening', { path: config.dbPath });
}

function createAgent(queue: Queue, options: DatabaseOptions, stop: AbortSignal) {
  const { clock, logger, config, bootId, builtAtMs, encodeWorkerFile } = options;
  const { recurring, version, configurationWarnings, historyWorkerFile } = options;
  const counters = new UploadCounters();
  const client = createClient(options);
  const isLinkUp = (): boolean => hasRouteTo(config.remoteUrl);
  const onAttempt = (result: SendResult, samples: number): void => counters.posted(result, samples);
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
    stop,
  };
  const uploader = createUploader(queue, { clock, logger, config, ...uploads });
  const reporting = { recurring, counters, version, configurationWarnings, historyWorkerFile };
  const statusServer = createStatusServer(queue, uploader, { clock, logger, config, ...reporting });
  return { client, uploader, statusServer };
}

function createClient({ clock, config, surroundings }: ServiceOptions): HttpTransport {
  const { remoteUrl, remoteTimeoutMs, remoteProtocol } = config;
  const { proxyFor, credentialsDirectory } = surroundings;
  const protocol = remoteProtocol === 'remote-write' ? new RemoteWriteProtocol() : new VictoriaMetricsProtocol();
  const credentials = new Credentials({ ...config, credentialsDirectory });
  return new HttpTransport({ clock, protocol, remoteUrl, remoteTimeoutMs, credentials, proxyFor });
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
