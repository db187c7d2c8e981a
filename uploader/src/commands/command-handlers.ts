import type { Clock } from '@thugshells/shared/clock.ts';
import { checkConfig, formatEffectiveConfig } from '@thugshells/shared/config/check-config.ts';
import type { Environment } from '@thugshells/shared/config/load-config.ts';
import { AgentError, ExitCode } from '@thugshells/shared/errors.ts';
import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import type { CommandHandlers, GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import { createStopSignal, type CommandResult } from '@thugshells/shared/process/lifecycle.ts';
import { mayHaveColors } from '@thugshells/shared/process/terminal.ts';
import { readBuildTimeMs, readVersion } from '@thugshells/shared/process/version.ts';

import { loadUploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { statusText } from '../health/status-text.ts';
import { readSurroundings } from '../surroundings.ts';
import { Credentials } from '../transport/credentials.ts';
import type { UPLOADER_TABLE } from './command-table.ts';
import { quarantineCommand } from './quarantine.ts';
import { requeueCommand } from './requeue.ts';
import { readDeviceStatus, statusCommand } from './status.ts';
import { testCommand } from './test.ts';
import { verifyCommand } from './verify.ts';
import { watchStatus, type Screen } from './watch-status.ts';

export interface CommandHandlerOptions {
  readonly clock: Clock;
  readonly environment: Environment;
  /** The terminal of standard output; undefined if it is none. */
  readonly screen: Screen | undefined;
  /** Writes to the terminal of standard error, in place of what was written before; undefined if it is none. */
  readonly showProgress?: ((text: string) => void) | undefined;
  /** Uploads until stopped. */
  readonly run: () => Promise<never>;
}

type UploaderHandlers = CommandHandlers<
  keyof (typeof UPLOADER_TABLE)['commands'],
  Promise<never> | Promise<CommandResult> | CommandResult
>;

/** Creates what runs the program's commands. */
export function createCommandHandlers(options: CommandHandlerOptions): UploaderHandlers {
  const { clock, environment, run } = options;
  const readDatabasePath = (): string => loadUploaderConfig(environment).values.dbPath;
  return {
    run,
    status: (given) => status(options, given),
    test: (given) => testConnection(options, given),
    requeue: (given) => requeueCommand(readDatabasePath(), given, clock.now()),
    verify: (given) => verify(options, given),
    quarantine: (given) => quarantineCommand(readDatabasePath(), given),
    'check-config': (given) => check(environment, given),
  };
}

function status(options: CommandHandlerOptions, given: GivenOptions): Promise<CommandResult> {
  const { clock, environment, screen } = options;
  const { values: config, unknown: configurationWarnings } = loadUploaderConfig(environment);
  const isColored = mayHaveColors(screen !== undefined, environment);
  const device = { clock, config, version: readVersion(), bootId: readBootId(), configurationWarnings };
  if (!given.has('--watch')) return statusCommand({ ...device, asJson: given.has('--json'), isColored });
  if (screen === undefined || given.has('--json'))
    throw new AgentError('cannot watch: standard output has to be a terminal, and --json cannot be given', {
      code: 'BAD_USAGE',
      hint: 'run: thugshells-uploader status --json',
    });
  const readText = async (): Promise<{ text: string; problem: string | undefined }> => {
    const { status, problem } = await readDeviceStatus(device);
    return { text: statusText(status, isColored), problem };
  };
  return watchStatus({ clock, screen, stop: createStopSignal(silentLogger), readText });
}

function verify(
  { clock, environment, showProgress }: CommandHandlerOptions,
  given: GivenOptions,
): Promise<CommandResult> {
  const { values: config } = loadUploaderConfig(environment);
  const surroundings = readSurroundings(environment, [config.remoteUrl, config.queryUrl]);
  return verifyCommand({ clock, config, surroundings, showProgress }, given);
}

function testConnection(
  { clock, environment, showProgress }: CommandHandlerOptions,
  given: GivenOptions,
): Promise<CommandResult> {
  const { values: config } = loadUploaderConfig(environment);
  const surroundings = readSurroundings(environment, [config.remoteUrl, config.queryUrl, config.clockSkewUrl]);
  return testCommand({ clock, config, surroundings, builtAtMs: readBuildTimeMs(), showProgress }, given);
}

function check(environment: Environment, given: GivenOptions): CommandResult {
  const { loaded, warnings } = checkConfig(environment, loadUploaderConfig);
  const { remoteUrl, queryUrl, clockSkewUrl } = loaded.values;
  const { credentialsDirectory } = readSurroundings(environment, [remoteUrl, queryUrl, clockSkewUrl]);
  const problems = new Credentials({ ...loaded.values, credentialsDirectory }).problems();
  return {
    text: `${formatEffectiveConfig(loaded, given)}\n`,
    problems: [...warnings, ...problems],
    exitCode: problems.length === 0 ? ExitCode.clean : ExitCode.configuration,
  };
}
