// Longer than a main should be: it names every room of the program once, and nothing else does.
import { release } from 'node:os';
import process from 'node:process';

import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import { CHECK_CONFIG_OPTIONS, formatEffectiveConfig } from '@thugshells/shared/config/check-config.ts';
import { systemClock as clock } from '@thugshells/shared/clock.ts';
import { dispatch, type GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { ExitCode } from '@thugshells/shared/errors.ts';
import {
  createProcessLogger,
  runCommand,
  runService,
  type CommandResult,
} from '@thugshells/shared/process/lifecycle.ts';
import { resolveProgramPath } from '@thugshells/shared/program-root.ts';
import { createNotifier } from '@thugshells/shared/process/systemd.ts';
import { readBuildTimeMs, readVersion } from '@thugshells/shared/process/version.ts';
import type { KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

import { COLLECTORS } from './collectors/table.ts';
import { loadCollectorConfig, type CollectorConfig } from './config.ts';
import { ExpositionConverter } from './inputs/exposition-converter.ts';
import { KernelFiles, requireProcRoot, type KernelSource } from './kernel/kernel-files.ts';
import { once } from './commands/once.ts';
import { Scheduler, type ScheduledCollector } from './scheduling/scheduler.ts';
import { ScrapeClient } from './inputs/scrape-client.ts';
import { CommitBatcher } from './scheduling/commit-batcher.ts';
import { toCollectorName, ScrapeTargetCollector } from './inputs/scrape-target.ts';
import { SelfCollector, type SelfCollectorParts } from './inputs/self.ts';
import { SeriesLimit } from './scheduling/series-limit.ts';
import { SimulatedKernel } from './kernel/simulated-kernel.ts';
import { spaceLimits } from './store/space/limits.ts';
import { Store } from './store/store.ts';
import { TextFiles } from './inputs/text-files.ts';
import { TextfileCollector } from './inputs/textfile.ts';

function kernelOf(config: CollectorConfig): KernelSource {
  if (config.kernel === 'simulated') return new SimulatedKernel({ elapsedMs: () => clock.monotonic() });
  requireProcRoot(config.procRoot);
  return new KernelFiles(config);
}

function collectorsOf(config: CollectorConfig, kernel: KernelSource, client: ScrapeClient): ScheduledCollector[] {
  const ofKernel = config.collectors
    .filter((name): name is KernelCollectorName => Object.hasOwn(COLLECTORS, name))
    .map((name) => ({
      collector: COLLECTORS[name].create({ kernel, options: config, build: readVersion() }),
      intervalMs: config[`${name}IntervalMs`],
    }));
  return [...ofKernel, ...textfileOf(config), ...scrapesOf(config, client)];
}

/** Twice as many as are stored: those beyond the cap are to be told, but not all of a source that has gone wild. */
function handedOn(maxSeries: number): number {
  return 2 * maxSeries;
}

function textfileOf(config: CollectorConfig): ScheduledCollector[] {
  if (!config.collectors.includes('textfile')) return [];
  const converter = new ExpositionConverter({ now: () => clock.now(), labels: {} });
  const sources = {
    files: new TextFiles(config.textfileDir),
    converter,
    maxSamples: handedOn(config.collectorMaxSeries),
  };
  return [{ collector: new TextfileCollector(sources), intervalMs: config.textfileIntervalMs }];
}

function scrapesOf(config: CollectorConfig, client: ScrapeClient): ScheduledCollector[] {
  const { scrapeMaxBytes: maxBytes, scrapeMaxSeries, scrapeIntervalMs: intervalMs } = config;
  const limits = { timeoutMs: Math.min(config.scrapeTimeoutMs, intervalMs), maxBytes };
  return targetsOf(config).map((target) => {
    const converter = new ExpositionConverter({ now: () => clock.now(), labels: { job: target.name } });
    return {
      collector: new ScrapeTargetCollector(target, {
        client,
        converter,
        clock,
        limits,
        maxSamples: handedOn(scrapeMaxSeries),
      }),
      intervalMs,
    };
  });
}

function targetsOf(config: CollectorConfig): CollectorConfig['scrapeTargets'] {
  return config.collectors.includes('scrape') ? config.scrapeTargets : [];
}

/** What the programs tell of themselves, where it is enabled; it needs the database, which `once` does not touch. */
function selfOf(config: CollectorConfig, sources: SelfCollectorParts): ScheduledCollector[] {
  return config.collectors.includes('self')
    ? [{ collector: new SelfCollector(sources), intervalMs: config.selfIntervalMs }]
    : [];
}

function labelsOf(config: CollectorConfig): Record<string, string> {
  return config.kernel === 'simulated' ? { simulated: 'true' } : {};
}

function capOf(config: CollectorConfig): SeriesLimit {
  const ofTarget = { variable: 'SCRAPE_MAX_SERIES', most: config.scrapeMaxSeries };
  const own = new Map(targetsOf(config).map((target) => [toCollectorName(target), ofTarget]));
  return new SeriesLimit({ perCollector: config.collectorMaxSeries, total: config.maxSeries, own });
}

function run(): Promise<never> {
  const { values: config, unknown } = loadCollectorConfig(process.env);
  const { logger, sessionId } = createProcessLogger(config);
  return runService(logger, async (releases, stop, manager) => {
    const kernel = releases.add('kernel', kernelOf(config), (open) => open.close?.());
    logger.info('collector starts', { version: readVersion(), device_id: config.deviceId, path: config.dbPath });
    for (const sentence of unknown) logger.warn('unknown variable', { error: sentence });
    releases.add('instance lock', takeInstanceLock(config.dbPath, 'collector'), (lock) => lock.release());
    const client = releases.add('scrape client', new ScrapeClient(), (open) => open.close());
    const scheduled = collectorsOf(config, kernel, client);
    const metadata = { version: readVersion(), bootId: readBootId(), kernel: release(), host: config.deviceId };
    const store = new Store({
      ...config,
      collectors: [
        ...scheduled.map(({ collector }) => collector.name),
        ...config.collectors.filter((name) => name === 'self'),
      ],
      clock,
      logger,
      limits: spaceLimits(config),
      session: { id: sessionId, startedAtMs: clock.now(), metadata },
      builtAtMs: readBuildTimeMs(),
      labels: labelsOf(config),
      notify: manager.notify,
      // Linux counts what getrusage(2) calls output blocks as it counts write_bytes of /proc/self/io, in units of 512.
      readWrittenBytes: () => process.resourceUsage().fsWrite * 512,
      checkWorkerFile: resolveProgramPath('collector/dist/integrity-worker.js'),
    });
    store.open();
    releases.add('store', store, (open) => open.close());
    const batcher = releases.add('commit batcher', new CommitBatcher({ ...config, clock, store }), (open) =>
      open.close(),
    );
    const scheduler = new Scheduler({ clock, logger, store, batcher, seriesLimit: capOf(config), manager });
    const self = selfOf(config, { readState: () => store.agentState(), readSkewMs: () => store.skewMs() });
    const collectors = [...scheduled, ...self];
    manager.reportReady('collecting', Math.max(...collectors.map(({ intervalMs }) => intervalMs)));
    await Promise.all([scheduler.run(collectors, stop), store.run(stop)]);
  });
}

async function runOnce(): Promise<CommandResult> {
  const { values: config } = loadCollectorConfig(process.env);
  const options = { ...config, clock, labels: labelsOf(config), seriesLimit: capOf(config) };
  const kernel = kernelOf(config);
  const { lines, failures, remarks } = await once(
    collectorsOf(config, kernel, new ScrapeClient()).map(({ collector }) => collector),
    options,
  );
  kernel.close?.();
  return {
    text: lines,
    problems: [...failures, ...remarks],
    exitCode: failures.length === 0 ? ExitCode.clean : ExitCode.fault,
  };
}

function migrate(): CommandResult {
  const { values: config } = loadCollectorConfig(process.env);
  const { logger } = createProcessLogger(config);
  const lock = takeInstanceLock(config.dbPath, 'collector');
  prepareDatabase(config.dbPath, logger, createNotifier(process.env, logger)).close();
  lock.release();
  return {};
}

function checkConfig(given: GivenOptions): CommandResult {
  const loaded = loadCollectorConfig(process.env);
  return { text: `${formatEffectiveConfig(loaded, given)}\n`, problems: loaded.unknown };
}

await runCommand(() =>
  dispatch<Promise<never> | Promise<CommandResult> | CommandResult>(
    'thugshells-collector',
    {
      run: { doc: 'collect until stopped', run },
      once: { doc: 'read every collector once and print VictoriaMetrics JSON lines', run: runOnce },
      migrate: { doc: 'bring the database to the schema of this program', run: migrate },
      'check-config': {
        doc: 'print every variable and where its value came from',
        options: CHECK_CONFIG_OPTIONS,
        run: checkConfig,
      },
    },
    process.argv.slice(2),
  ),
);
