import process from 'node:process';

import { checkConfig, formatEffectiveConfig } from '@thugshells/shared/config/check-config.ts';
import { systemClock as clock } from '@thugshells/shared/clock.ts';
import { dispatch, type CommandHandlers, type GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { createProcessLogger, runCommand, runService } from '@thugshells/shared/process/lifecycle.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';
import { createNotifier } from '@thugshells/shared/process/systemd.ts';

import { createCollectors, createKernel, createSeriesLimit, findLabels, runCollector } from './agent.ts';
import { COLLECTOR_TABLE } from './commands/command-table.ts';
import { migrateCommand } from './commands/migrate.ts';
import { MAX_READ_MS, onceCommand } from './commands/once.ts';
import { loadCollectorConfig } from '@thugshells/shared/config/collector-config.ts';
import { ScrapeClient } from './inputs/scrape-client.ts';
import { readScrapeTargets } from './inputs/scrape-config-file.ts';

/** Linux counts getrusage(2)'s output blocks as it counts write_bytes of /proc/self/io, in units of 512 bytes. */
const readWrittenBytes = (): number => process.resourceUsage().fsWrite * 512;

async function run(): Promise<never> {
  const { values: config, unknown } = loadCollectorConfig(process.env);
  const targets = await readScrapeTargets(config);
  const { logger, sessionId } = createProcessLogger(config);
  const context = { config, targets, unknown, logger, sessionId, readWrittenBytes };
  return runService(logger, (resources, stop, manager) => runCollector({ ...context, resources, manager }, stop));
}

async function once(): Promise<CommandResult> {
  const { values: config } = loadCollectorConfig(process.env);
  const kernel = createKernel(config);
  const targets = await readScrapeTargets(config);
  const collectors = createCollectors(config, { kernel, client: new ScrapeClient(), targets });
  const options = {
    ...config,
    clock,
    labels: findLabels(config),
    seriesLimit: createSeriesLimit(config, targets),
    maxReadMs: Math.max(MAX_READ_MS, ...targets.map(({ timeoutMs = config.scrapeTimeoutMs }) => 2 * timeoutMs)),
  };
  const result = await onceCommand(collectors, options);
  kernel.close?.();
  return result;
}

function migrate(): CommandResult {
  const { values: config } = loadCollectorConfig(process.env);
  const { logger } = createProcessLogger(config);
  return migrateCommand({ dbPath: config.dbPath, logger, notify: createNotifier(process.env, logger) });
}

async function check(given: GivenOptions): Promise<CommandResult> {
  const { loaded, warnings } = checkConfig(process.env, loadCollectorConfig);
  await readScrapeTargets(loaded.values);
  return { text: `${formatEffectiveConfig(loaded, given)}\n`, problems: warnings };
}

type Name = keyof (typeof COLLECTOR_TABLE)['commands'];
type Result = Promise<never> | Promise<CommandResult> | CommandResult;

const handlers: CommandHandlers<Name, Result> = { run, once, migrate, 'check-config': check };
await runCommand(() => dispatch(COLLECTOR_TABLE, handlers, process.argv.slice(2)));
