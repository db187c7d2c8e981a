/** The collector's wiring: each factory creates one part of it from the configuration and the parts it needs. */
import { machine, release } from 'node:os';

import { systemClock as clock } from '@thugshells/shared/clock.ts';
import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';
import type { ProcessLogger } from '@thugshells/shared/logging/logger.ts';
import type { KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';
import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import type { ResourceStack } from '@thugshells/shared/process/lifecycle.ts';
import type { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import { readBuildTimeMs, readVersion } from '@thugshells/shared/process/version.ts';
import { resolveProgramPath } from '@thugshells/shared/program-root.ts';

import { COLLECTORS } from './collectors/table.ts';
import type { CollectorConfig } from '@thugshells/shared/config/collector-config.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { ExpositionConverter, type ExpositionConverterOptions } from './inputs/exposition-converter.ts';
import { ScrapeClient } from './inputs/scrape-client.ts';
import { ScrapeTargetCollector, toCollectorName } from './inputs/scrape-target.ts';
import { SelfCollector } from './inputs/self.ts';
import { TextFiles } from './inputs/text-files.ts';
import { MAX_TEXTFILE_AGE_MS, TextfileCollector } from './inputs/textfile.ts';
import { KernelFiles, requireProcRoot, type KernelSource } from './kernel/kernel-files.ts';
import { SimulatedKernel } from './kernel/simulated-kernel.ts';
import { CommitBatcher } from './scheduling/commit-batcher.ts';
import { Scheduler, type ScheduledCollector } from './scheduling/scheduler.ts';
import { SeriesLimit } from './scheduling/series-limit.ts';
import { divideSpace } from './store/space/limits.ts';
import { Store } from './store/store.ts';
import { findReservedName } from './store/writing/agent-names.ts';

/** What the process gives to its agent. */
export interface CollectorContext {
  readonly config: CollectorConfig;
  readonly targets: readonly ScrapeTarget[];
  /** A sentence for each variable that the configuration does not know. */
  readonly unknown: readonly string[];
  readonly logger: ProcessLogger;
  readonly sessionId: string;
  readonly resources: ResourceStack;
  readonly manager: ServiceManager;
  /** Returns the bytes that this process has had written to the disk so far. */
  readonly readWrittenBytes: () => number;
}

/**
 * Creates the source of kernel files.
 *
 * @throws AgentError when PROC_ROOT is no proc file system
 */
export function createKernel(config: CollectorConfig): KernelSource {
  if (config.kernel === 'simulated') return new SimulatedKernel({ elapsedMs: () => clock.monotonic() });
  requireProcRoot(config.procRoot);
  return new KernelFiles(config);
}

/** What is scraped, and by what. */
interface TargetsOfAgent {
  readonly client: ScrapeClient;
  readonly targets: readonly ScrapeTarget[];
}

/** Creates the collectors that need no database, each with its interval. */
export function createCollectors(
  config: CollectorConfig,
  { kernel, client, targets }: { readonly kernel: KernelSource } & TargetsOfAgent,
): ScheduledCollector[] {
  const ofKernel = config.collectors
    .filter((name): name is KernelCollectorName => Object.hasOwn(COLLECTORS, name))
    .map((name) => ({
      collector: COLLECTORS[name].create({ kernel, options: config, build: readVersion(), ...findMachine(config) }),
      intervalMs: config[`${name}IntervalMs`],
    }));
  return [...ofKernel, ...createTextfileCollector(config), ...createTargetCollectors(config, { client, targets })];
}

/** The machine of a simulated kernel is not this one. */
function findMachine({ kernel }: CollectorConfig): { readonly machine?: string } {
  return kernel === 'simulated' ? {} : { machine: machine() };
}

/** Creates the limit on the number of series that are stored in an hour. */
export function createSeriesLimit(config: CollectorConfig, targets: readonly ScrapeTarget[]): SeriesLimit {
  const ofTarget = { variable: 'SCRAPE_MAX_SERIES', maxSeries: config.scrapeMaxSeries };
  const own = new Map(targets.map((target) => [toCollectorName(target), ofTarget]));
  return new SeriesLimit({ perCollector: config.collectorMaxSeries, total: config.maxSeries, own });
}

/** Returns the labels that every sample has, whatever its own are. */
export function findLabels({ kernel }: CollectorConfig): Record<string, string> {
  return kernel === 'simulated' ? { simulated: 'true' } : {};
}

/**
 * Opens the store; it is closed with the agent.
 *
 * @param collectors names of the collectors that run
 * @throws AgentError as Store.open() does
 */
export function openStore(
  { config, logger, sessionId, resources, manager, readWrittenBytes }: CollectorContext,
  collectors: readonly string[],
): Store {
  const metadata = { version: readVersion(), bootId: readBootId(), kernel: release(), host: config.deviceId };
  const store = new Store({
    ...config,
    collectors,
    clock,
    logger,
    journal: logger.journal,
    limits: divideSpace(config),
    session: { id: sessionId, startedAtMs: clock.now(), metadata },
    builtAtMs: readBuildTimeMs(),
    labels: findLabels(config),
    notify: manager.notify,
    readWrittenBytes,
    checkWorkerFile: resolveProgramPath('collector/dist/integrity-worker.js'),
  });
  store.open();
  return resources.add('store', store, (each) => each.close());
}

/** Creates the scheduler of collectors whose scrapes go to a store, and the batcher between them. */
export function createScheduler(
  { config, targets, logger, resources, manager }: CollectorContext,
  store: Store,
): Scheduler {
  const batcher = new CommitBatcher({ ...config, clock, store });
  resources.add('commit batcher', batcher, (each) => each.close());
  return new Scheduler({ clock, logger, store, batcher, seriesLimit: createSeriesLimit(config, targets), manager });
}

/** Collects until `stop` is aborted; what it opens is closed by `resources`. */
export async function runCollector(context: CollectorContext, stop: AbortSignal): Promise<void> {
  const { config, targets, unknown, logger, resources, manager } = context;
  const kernel = resources.add('kernel', createKernel(config), (each) => each.close?.());
  logger.info('collector started', { version: readVersion(), device_id: config.deviceId, path: config.dbPath });
  for (const sentence of unknown) logger.warn('unknown variable', { error: sentence });
  resources.add('instance lock', takeInstanceLock(config.dbPath, 'collector'), (each) => each.release());
  const client = resources.add('scrape client', new ScrapeClient(), (each) => each.close());
  const collectors = createCollectors(config, { kernel, client, targets });
  const names = collectors.map(({ collector }) => collector.name);
  const store = openStore(context, [...names, ...config.collectors.filter((name) => name === 'self')]);
  const scheduler = createScheduler(context, store);
  const all = [...collectors, ...createSelfCollector(config, store)];
  manager.reportReady('collecting', Math.max(...all.map(({ intervalMs }) => intervalMs)));
  await Promise.all([scheduler.run(all, stop), store.run(stop)]);
}

/** Creates the collector of the programs' own series, if it is enabled. */
function createSelfCollector(config: CollectorConfig, store: Store): ScheduledCollector[] {
  if (!config.collectors.includes('self')) return [];
  const collector = new SelfCollector({ readState: () => store.readAgentState(), readSkewMs: () => store.skewMs() });
  return [{ collector, intervalMs: config.selfIntervalMs }];
}

function createTextfileCollector(config: CollectorConfig): ScheduledCollector[] {
  if (!config.collectors.includes('textfile')) return [];
  const collector = new TextfileCollector({
    files: new TextFiles(config.textfileDir),
    converter: createConverter(config, {
      labels: {},
      limitVariable: 'COLLECTOR_MAX_SERIES',
      maxAgeMs: MAX_TEXTFILE_AGE_MS,
    }),
    maxReadings: maxParsedSamples(config.collectorMaxSeries),
  });
  return [{ collector, intervalMs: config.textfileIntervalMs }];
}

function createTargetCollectors(config: CollectorConfig, { client, targets }: TargetsOfAgent): ScheduledCollector[] {
  const { scrapeMaxBytes: maxBytes, scrapeMaxSeries } = config;
  const maxReadings = maxParsedSamples(scrapeMaxSeries);
  return targets.map((target) => {
    const { labels, honorLabels, keepsName } = target;
    const { intervalMs = config.scrapeIntervalMs, timeoutMs = config.scrapeTimeoutMs } = target;
    const limits = { timeoutMs: Math.min(timeoutMs, intervalMs), maxBytes };
    const converter = createConverter(config, { labels, honorLabels, keepsName, limitVariable: 'SCRAPE_MAX_SERIES' });
    return {
      collector: new ScrapeTargetCollector(target, { client, converter, clock, limits, maxReadings }),
      intervalMs,
    };
  });
}

function createConverter(
  { remoteProtocol }: Pick<CollectorConfig, 'remoteProtocol'>,
  options: Omit<ExpositionConverterOptions, 'now' | 'findReserved' | 'normalizesBounds'>,
): ExpositionConverter {
  const isRemoteWrite = remoteProtocol === 'remote-write';
  return new ExpositionConverter({
    ...options,
    // vmagent and VictoriaMetrics leave them as they are.
    normalizesBounds: isRemoteWrite,
    findsStarts: isRemoteWrite,
    now: () => clock.now(),
    findReserved: findReservedName,
  });
}

/** Twice as many as are stored: those beyond the limit are reported, but not all of an exporter that has gone wild. */
function maxParsedSamples(maxSeries: number): number {
  return 2 * maxSeries;
}
