// Longer than a main should be: it names every room of the program once, and nothing else does.
import process from 'node:process';

import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import { CHECK_CONFIG_OPTIONS, formatEffectiveConfig } from '@thugshells/shared/config/check-config.ts';
import { systemClock as clock } from '@thugshells/shared/clock.ts';
import { dispatch, type GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { ExitCode } from '@thugshells/shared/errors.ts';
import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';
import {
  createProcessLogger,
  runCommand,
  runScope,
  runService,
  type CommandResult,
  type ScopedWork,
} from '@thugshells/shared/process/lifecycle.ts';
import { resolveProgramPath } from '@thugshells/shared/program-root.ts';
import type { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import { readVersion } from '@thugshells/shared/process/version.ts';

import { Acknowledgements } from './queue/acknowledgements.ts';
import { Backlog } from './queue/backlog.ts';
import { ChunkSize } from './delivery/chunk-size.ts';
import { ReceiverClock } from './clock/receiver-clock.ts';
import { loadUploaderConfig, surroundings } from './config.ts';
import { Credentials } from './transport/credentials.ts';
import { QUARANTINE_OPTIONS, quarantineCommand } from './commands/quarantine.ts';
import { REQUEUE_OPTIONS, requeueCommand } from './commands/requeue.ts';
import { DatabaseWatch } from './queue/database-watch.ts';
import { BatchSender } from './delivery/batch-sender.ts';
import { EncoderPool } from './encoding/encoder-pool.ts';
import { HttpTransport } from './transport/http-transport.ts';
import { hasRouteTo } from './transport/network-link.ts';
import { ConnectionLoss } from './delivery/connection-loss.ts';
import { UntimedRows } from './queue/untimed-rows.ts';
import { UploaderStateReader } from './telemetry/uploader-state.ts';
import { calculateUploadDelayMs } from './delivery/upload-phase.ts';
import { ReceiverProbe } from './delivery/receiver-probe.ts';
import { RateLimiter } from './delivery/rate-limiter.ts';
import { ReceiverClockProber } from './clock/receiver-clock-prober.ts';
import { ReceiverClockTable } from './clock/receiver-clock-table.ts';
import { ReceiverState } from './delivery/receiver-state.ts';
import { RemoteWriteProtocol } from './transport/remote-write.ts';
import { RetryingTransport } from './transport/retrying-transport.ts';
import { openWhenReady } from './queue/open-when-ready.ts';
import { SettledRanges } from './queue/settled-ranges.ts';
import { HealthMonitor } from './health/monitor.ts';
import { HistoryThread } from './http/page/history-thread.ts';
import { listenWithRetry } from './http/listen.ts';
import type { MetricsExposition } from './http/metrics.ts';
import { DiskWrites } from './telemetry/disk-writes.ts';
import { LastRejection } from './telemetry/last-rejection.ts';
import { StatusServer } from './http/server.ts';
import { Snapshots } from './telemetry/snapshot.ts';
import { statusLine } from './health/status-text.ts';
import { CollectorStateReader } from './telemetry/collector-state-reader.ts';
import { statusCommand } from './commands/status.ts';
import { UploadCounters } from './telemetry/upload-counters.ts';
import { UploadLoop } from './delivery/upload-loop.ts';
import { ReportTable } from './telemetry/report-table.ts';
import { ReportWriter } from './telemetry/report-writer.ts';
import { VictoriaMetricsProtocol } from './transport/victoriametrics.ts';

/** How often health is judged even when nobody asks, so that each change is logged when it comes. */
const JUDGE_INTERVAL_MS = 10_000;

function run(): Promise<never> {
  const { values: config, unknown } = loadUploaderConfig(process.env);
  const { logger } = createProcessLogger(config);
  return runService(logger, async (releases, stop, manager) => {
    logger.info('uploader starts', { version: readVersion(), device_id: config.deviceId, path: config.dbPath });
    for (const sentence of unknown) logger.warn('unknown variable', { error: sentence });
    releases.add('instance lock', takeInstanceLock(config.dbPath, 'uploader'), (lock) => lock.release());
    manager.reportReady('waiting for the database');
    // Where the collector has put a new database in the place of a damaged one, all that works on it begins anew.
    while (!stop.aborted) await runScope(logger, stop, (...part) => uploadFromOneDatabase(manager, ...part));
  });

  async function uploadFromOneDatabase(
    manager: ServiceManager,
    ...[releases, stop, end]: Parameters<ScopedWork>
  ): Promise<void> {
    const onAttempt = (reason: string): void => {
      manager.reportProgress();
      manager.reportStatus(`waiting for the database: ${reason}`);
    };
    const opened = await openWhenReady(config.dbPath, { clock, logger, stop, onAttempt });
    if (opened === undefined) return;
    const database = releases.add('database', opened, (open) => void open.close());
    manager.reportStatus('uploading');
    const watch = new DatabaseWatch(database, { path: config.dbPath, clock, logger });

    const settled = new SettledRanges(database);
    const backlog = new Backlog(database, settled);
    const acknowledgements = new Acknowledgements(database, settled, { clock, ...config });
    const replayed = acknowledgements.recover();
    if (replayed > 0) logger.info('requeued unconfirmed samples', { count: replayed });

    const table = new ReceiverClockTable(database, readBootId());
    const receiverClock = new ReceiverClock({ clock, logger, table, ...config });
    const encoder = new EncoderPool({
      databasePath: config.dbPath,
      workerFile: resolveProgramPath('uploader/dist/encode-worker.js'),
      receiverNow: () => receiverClock.receiverNow(),
    });
    releases.add('encoder', encoder, (pool) => pool.close());
    const { proxyFor, credentialsDirectory } = surroundings(process.env);
    const credentials = new Credentials({ ...config, credentialsDirectory });
    const isRemoteWrite = config.remoteProtocol === 'remote-write';
    const protocol = isRemoteWrite ? new RemoteWriteProtocol() : new VictoriaMetricsProtocol();
    const remote = new HttpTransport({ clock, protocol, ...config, credentials, proxyFor });
    releases.add('connections', remote, (open) => open.close());
    const dateUrl = config.clockSkewUrl || new URL('/health', config.remoteUrl).href;
    const requestDate = (signal: AbortSignal): Promise<string | undefined> => remote.requestDate(dateUrl, signal);
    const prober = new ReceiverClockProber({ clock, logger, receiverClock, requestDate, ...config });
    const lost = new ConnectionLoss({ logger, acknowledgements, receiverCheck: remote, stop });
    remote.onConnectionClosed((connection) => void lost.onConnectionClosed(connection));

    const reports = new ReportTable(database);
    const lastReport = reports.load();
    const receiver = new ReceiverState(clock, logger);
    receiver.remember({ uploads: lastReport?.uploads ?? [], lastDelivery: lastReport?.lastDelivery });
    const counters = new UploadCounters();
    const own = new UploaderStateReader({
      ...{ clock, receiver, skew: receiverClock, counters },
      lastRejection: new LastRejection(lastReport?.rejectedAtMs),
      writes: new DiskWrites(clock),
      rejected: () => backlog.readBooks().rejected,
    });
    const collectorState = new CollectorStateReader(database, config.dbPath);
    const snapshots = new Snapshots({
      clock,
      collectorState,
      backlog,
      settled: () => settled.readRanges(),
      uploaderState: () => own.read(),
      ...config,
    });
    const transport = new RetryingTransport(remote, {
      clock,
      logger,
      stop,
      attempts: config.retryAttempts,
      isLongAway: () => receiver.isLongAway,
      policy: {
        initialMs: config.retryInitialMs,
        multiplier: config.retryMultiplier,
        maxMs: config.retryMaxMs,
        jitter: config.retryJitter,
      },
      random: Math.random,
      onAttempt: (post, samples) => counters.posted(post, samples),
    });
    const chunkSize = new ChunkSize(config);
    const delivery = new BatchSender({
      clock,
      logger,
      acknowledgements,
      chunkSize,
      encoder,
      transport,
      receiver,
      receiverClock,
    });
    const isLinkUp = (): boolean => hasRouteTo(config.remoteUrl);
    const probe = new ReceiverProbe({
      clock,
      receiver,
      receiverCheck: remote,
      random: Math.random,
      isLinkUp,
      ...config,
    });
    const rateLimit = new RateLimiter(clock, config.uploadMaxRate);
    const firstCycleInMs = calculateUploadDelayMs(config.deviceId, config.uploadIntervalMs, clock.now());
    const parts = {
      watch,
      backlog,
      acknowledgements,
      encoder,
      chunkSize,
      delivery,
      receiverCheck: remote,
      probe,
      rateLimit,
    };
    const loop = new UploadLoop({
      clock,
      logger,
      ...parts,
      ...config,
      firstCycleInMs,
      transport,
      sendsOldestFirst: isRemoteWrite,
    });

    const identity = { version: readVersion(), deviceId: config.deviceId, configurationWarnings: unknown };
    const monitor = new HealthMonitor({ logger, snapshots, limits: config, ...identity });
    const reporting = new ReportWriter({
      clock,
      logger,
      table: reports,
      report: () => own.report(monitor.judgement()),
    });
    releases.add('report', reporting, (last) => last.write());
    const history = new HistoryThread({
      clock,
      databasePath: config.dbPath,
      workerFile: resolveProgramPath('uploader/dist/history-worker.js'),
      nowMs: () => receiverClock.now(),
    });
    releases.add('history', history, (thread) => thread.close());
    const metrics = async (): Promise<MetricsExposition> => {
      const metricsModule = await import('./http/metrics.ts');
      return new metricsModule.MetricsExposition(config.deviceId, snapshots, (taken) => monitor.judgement(taken));
    };
    const statusServer = new StatusServer({ logger, monitor, history, metrics, isLive: () => loop.isLive });
    releases.add('health endpoint', statusServer, (open) => open.close());
    await listenWithRetry({ statusServer, clock, logger, ...config }, stop, (endpoint) => (own.endpoint = endpoint));
    const judging = setInterval(() => manager.reportStatus(statusLine(monitor.status())), JUDGE_INTERVAL_MS);
    releases.add('health timer', judging, (timer) => clearInterval(timer));
    const untimedRows = new UntimedRows({ clock, logger, database, settled });
    // No sample leaves before it is known how wrong its time may be, unless the receiver does not respond.
    const uploading = async (): Promise<void> => {
      const first = await prober.measureFirst(stop);
      await Promise.all([loop.run(stop).finally(end), prober.run(first, stop)]);
    };
    const beating = manager.reportProgressWhile(() => loop.isLive, stop);
    await Promise.all([uploading(), beating, untimedRows.run(stop), reporting.run(stop)]);
    if (watch.isReplaced)
      logger.warn('another database stands in the place of the one that was open', { path: config.dbPath });
  }
}

function status(given: GivenOptions): Promise<CommandResult> {
  const { values: config, unknown } = loadUploaderConfig(process.env);
  const asJson = given.has('--json');
  const coloured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  return statusCommand({
    clock,
    config,
    version: readVersion(),
    bootId: readBootId(),
    configurationWarnings: unknown,
    asJson,
    coloured,
  });
}

function requeue(options: GivenOptions): CommandResult {
  return requeueCommand(loadUploaderConfig(process.env).values.dbPath, options, clock.now());
}

function quarantine(options: GivenOptions): CommandResult {
  return quarantineCommand(loadUploaderConfig(process.env).values.dbPath, options);
}

function checkConfig(given: GivenOptions): CommandResult {
  const loaded = loadUploaderConfig(process.env);
  const problems = new Credentials({ ...loaded.values, ...surroundings(process.env) }).problems();
  return {
    text: `${formatEffectiveConfig(loaded, given)}\n`,
    problems: [...loaded.unknown, ...problems],
    exitCode: problems.length === 0 ? ExitCode.clean : ExitCode.configuration,
  };
}

await runCommand(() =>
  dispatch<Promise<never> | Promise<CommandResult> | CommandResult>(
    'thugshells-uploader',
    {
      run: { doc: 'upload samples until stopped', run },
      status: {
        doc: 'print the state of this device; exit code 0 ok, 1 degraded, 2 error',
        options: { '--json': 'print JSON, as /status.json returns it' },
        run: status,
      },
      requeue: {
        doc: 'send delivered samples of a time range again, or with --quarantined those in quarantine',
        options: REQUEUE_OPTIONS,
        run: requeue,
      },
      quarantine: {
        doc: 'print the samples that the receiver rejected, and why',
        options: QUARANTINE_OPTIONS,
        run: quarantine,
      },
      'check-config': {
        doc: 'print every variable and where its value came from',
        options: CHECK_CONFIG_OPTIONS,
        run: checkConfig,
      },
    },
    process.argv.slice(2),
  ),
);
