import process from 'node:process';

import { systemClock as clock } from '@thugshells/shared/clock.ts';
import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import { dispatch } from '@thugshells/shared/process/command-line.ts';
import { createProcessLogger, runCommand, runService } from '@thugshells/shared/process/lifecycle.ts';
import { readBuildTimeMs, readVersion } from '@thugshells/shared/process/version.ts';
import { resolveProgramPath } from '@thugshells/shared/program-root.ts';

import { createCommandHandlers } from './commands/command-handlers.ts';
import { UPLOADER_TABLE } from './commands/command-table.ts';
import { loadUploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { runUploader } from './service.ts';
import { cleanProxyVariables, readSurroundings } from './surroundings.ts';

function run(): Promise<never> {
  const { values: config, unknown: configurationWarnings } = loadUploaderConfig(process.env);
  const surroundings = readSurroundings(process.env, [config.remoteUrl, config.queryUrl, config.clockSkewUrl]);
  const { logger } = createProcessLogger(config);
  return runService(logger, (resources, stop, manager) =>
    runUploader(
      {
        clock,
        logger,
        journal: logger.journal,
        config,
        manager,
        configurationWarnings,
        version: readVersion(),
        bootId: readBootId(),
        builtAtMs: readBuildTimeMs(),
        surroundings,
        encodeWorkerFile: resolveProgramPath('uploader/dist/encode-worker.js'),
        historyWorkerFile: resolveProgramPath('uploader/dist/history-worker.js'),
      },
      resources,
      stop,
    ),
  );
}

cleanProxyVariables(process.env);
const showProgress = process.stderr.isTTY
  ? (text: string) => void process.stderr.write(`\r${text}\u001b[K`)
  : undefined;
const { stdout } = process;
const screen = stdout.isTTY
  ? {
      write: (text: string) => void stdout.write(text),
      // A terminal that does not know its size reports 0.
      size: () => ({ rows: stdout.rows || 24, columns: stdout.columns || 80 }),
    }
  : undefined;
const handlers = createCommandHandlers({
  clock,
  environment: process.env,
  screen,
  showProgress,
  run,
});
await runCommand(() => dispatch(UPLOADER_TABLE, handlers, process.argv.slice(2)));
