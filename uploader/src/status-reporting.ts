import type { Journal } from '@thugshells/shared/logging/journal.ts';
import type { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import type { VerificationState } from '@thugshells/shared/state/verification-state.ts';

import type { AgentContext, Queue, Uploader } from './agent.ts';
import { HealthSender } from './health/health-sender.ts';
import { HealthMonitor } from './health/monitor.ts';
import type { MetricsExposition } from './http/metrics.ts';
import { HistoryThread } from './http/page/history-thread.ts';
import { CollectorStateReader } from './telemetry/collector-state-reader.ts';
import { LastRejection } from './telemetry/last-rejection.ts';
import { OwnLabels } from './queue/own-labels.ts';
import { readWrittenBytes } from './telemetry/written-bytes.ts';
import { ReportTable } from './telemetry/report-table.ts';
import { ReportWriter } from './telemetry/report-writer.ts';
import { Snapshots } from './telemetry/snapshot.ts';
import type { UploadCounters } from './telemetry/upload-counters.ts';
import { UploaderStateReader } from './telemetry/uploader-state.ts';
import type { ReceiverClient } from './transport/transport.ts';

export interface StatusReportingOptions extends AgentContext {
  readonly client: ReceiverClient;
  readonly recurring: RecurringWork;
  readonly counters: UploadCounters;
  /** The warnings and errors of this process, behind `logger`. */
  readonly journal: Journal;
  readonly version: string;
  readonly configurationWarnings: readonly string[];
  /** The entry point of the history's thread. */
  readonly historyWorkerFile: string;
  /** What verification in the background came to; undefined without it. */
  readonly verification: () => VerificationState | undefined;
  /** The key by which `status` knows the status server. */
  readonly statusKey: string;
}

/** The health, metrics and status page of a queue and its uploader, and the report for the collector. */
export type StatusReporting = ReturnType<typeof createStatusReporting>;

/** Creates what the status server shows of a queue and its uploader. */
export function createStatusReporting(queue: Queue, uploader: Uploader, options: StatusReportingOptions) {
  const { clock, logger, config, recurring, version, configurationWarnings } = options;
  const { receiverClock, receiver, loop, tooOld } = uploader;
  const reportTable = new ReportTable(queue.database, logger);
  const lastReport = reportTable.load();
  receiver.remember({ uploads: lastReport?.uploads ?? [], lastDelivery: lastReport?.lastDelivery });
  const own = new UploaderStateReader({
    clock,
    receiver,
    skew: receiverClock,
    tooOld,
    counters: options.counters,
    lastRejection: new LastRejection(lastReport?.rejectedAtMs),
    readWrittenBytes,
    statusKey: options.statusKey,
    rejected: () => queue.backlog.readBooks().rejected,
    taskFailures: () => recurring.failures,
    verification: options.verification,
  });
  const snapshots = createSnapshots(queue, own, options);
  const { deviceId, remoteUrl } = config;
  const identity = { version, deviceId, remoteUrl, configurationWarnings };
  const monitor = new HealthMonitor({ clock, logger, snapshots, limits: config, ...identity });
  const report = () => own.report(monitor.judgement());
  const reportWriter = new ReportWriter({ recurring, table: reportTable, report });
  const history = new HistoryThread({
    clock,
    databasePath: config.dbPath,
    workerFile: options.historyWorkerFile,
    nowMs: () => receiverClock.now(),
  });
  const healthSender = createHealthSender(queue, uploader, { monitor, snapshots }, options);
  let exposition: MetricsExposition | undefined;
  /** Loads prom-client only when somebody scrapes. */
  const readMetrics = async (): Promise<string> => {
    const { MetricsExposition } = await import('./http/metrics.ts');
    exposition ??= new MetricsExposition(config, snapshots, (taken) => monitor.judgement(taken));
    return exposition.text();
  };
  return { own, monitor, reportWriter, healthSender, history, readMetrics, isLive: () => loop.isLive };
}

function createHealthSender(
  { database }: Queue,
  { transport, receiver, receiverClock }: Uploader,
  { monitor, snapshots }: { readonly monitor: HealthMonitor; readonly snapshots: Snapshots },
  { clock, logger, config, client, counters }: StatusReportingOptions,
): HealthSender {
  const { deviceId, siteLabels, uploadIntervalMs } = config;
  const labels = new OwnLabels(database, deviceId);
  return new HealthSender({
    clock,
    logger,
    deviceId,
    uploadIntervalMs,
    client,
    transport,
    receiver,
    receiverClock,
    readStatus: () => monitor.status(),
    readSilenceMs: () => snapshots.heartbeatAgeMs(),
    isLocked: () => snapshots.take().lock !== undefined,
    readLabels: () => labels.read() ?? siteLabels,
    onSent: (bytes) => counters.sentBeside(bytes),
  });
}

function createSnapshots(
  { database, backlog, settled, lockWatch }: Queue,
  own: UploaderStateReader,
  { clock, logger, config, journal }: StatusReportingOptions,
) {
  return new Snapshots({
    clock,
    collectorState: new CollectorStateReader(database, config.dbPath, logger),
    backlog,
    settled: () => settled.readRanges(),
    uploaderState: () => own.read(),
    findLock: (heartbeatAgeMs) => lockWatch.find(heartbeatAgeMs),
    journal: () => journal.entries,
    batchMetrics: config.batchMetrics,
  });
}
