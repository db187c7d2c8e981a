import type { Clock } from '@thugshells/shared/clock.ts';
import { checkConfig, formatEffectiveConfig } from '@thugshells/shared/config/check-config.ts';
import type { Environment } from '@thugshells/shared/config/load-config.ts';
import { ExitCode } from '@thugshells/shared/errors.ts';
import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import type { CommandHandlers, GivenOptions } from '@thugshells/shared/process/command-line.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';
import { readBuildTimeMs, readVersion } from '@thugshells/shared/process/version.ts';

import { loadUploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { readSurroundings } from '../surroundings.ts';
import { Credentials } from '../transport/credentials.ts';
import type { UPLOADER_TABLE } from './command-table.ts';
import { quarantineCommand } from './quarantine.ts';
import { requeueCommand } from './requeue.ts';
import { statusCommand } from './status.ts';
import { testCommand } from './test.ts';
import { verifyCommand } from './verify.ts';

export interface CommandHandlerOptions {
  readonly clock: Clock;
  readonly environment: Environment;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
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

function status(
  { clock, environment, isTerminal }: CommandHandlerOptions,
  given: GivenOptions,
): Promise<CommandResult> {
  const isColored = isTerminal && environment['NO_COLOR'] === undefined;
  const { values: config, unknown: configurationWarnings } = loadUploaderConfig(environment);
  const device = { config, version: readVersion(), bootId: readBootId(), configurationWarnings };
  return statusCommand({ clock, ...device, asJson: given.has('--json'), isColored });
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
