import type { Clock } from '@thugshells/shared/clock.ts';
import { checkConfig, CHECK_CONFIG_OPTIONS, formatEffectiveConfig } from '@thugshells/shared/config/check-config.ts';
import type { Environment } from '@thugshells/shared/config/load-config.ts';
import { ExitCode } from '@thugshells/shared/errors.ts';
import { readBootId } from '@thugshells/shared/process/boot-id.ts';
import type { Commands, GivenOptions } from '@thugshells/shared/process/command-line.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';
import { readBuildTimeMs, readVersion } from '@thugshells/shared/process/version.ts';

import { loadUploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { readSurroundings } from '../surroundings.ts';
import { Credentials } from '../transport/credentials.ts';
import { QUARANTINE_OPTIONS, quarantineCommand } from './quarantine.ts';
import { REQUEUE_OPTIONS, requeueCommand } from './requeue.ts';
import { statusCommand } from './status.ts';
import { TEST_OPTIONS, testCommand } from './test.ts';
import { VERIFY_OPTIONS, verifyCommand } from './verify.ts';

export interface CommandTableOptions {
  readonly clock: Clock;
  readonly environment: Environment;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Writes to the terminal of standard error, in place of what was written before; undefined if it is none. */
  readonly showProgress?: ((text: string) => void) | undefined;
  /** Uploads until stopped. */
  readonly run: () => Promise<never>;
}

type UploaderCommands = Commands<Promise<never> | Promise<CommandResult> | CommandResult>;

/** Creates the table of the program's commands; the first one is the default. */
export function createCommands(options: CommandTableOptions): UploaderCommands {
  const { clock, environment, run } = options;
  const readDatabasePath = (): string => loadUploaderConfig(environment).values.dbPath;
  return {
    run: { doc: 'upload samples until stopped', run },
    status: {
      doc: 'print the state of this device; exit code 0 ok, 1 degraded, 2 error',
      options: { '--json': 'print JSON, as /status.json returns it' },
      run: (given) => status(options, given),
    },
    test: {
      doc: 'test the connection to the receiver step by step, without samples; exit code 0 every step passed, 1 one failed',
      options: TEST_OPTIONS,
      run: (given) => testConnection(options, given),
    },
    requeue: {
      doc: 'send delivered samples of a time range again, or with --quarantined those in quarantine',
      options: REQUEUE_OPTIONS,
      run: (given) => requeueCommand(readDatabasePath(), given, clock.now()),
    },
    verify: {
      doc: 'compare what was delivered with what the receiver returns; exit code 0 nothing is missing, 1 something is, 3 it cannot be read',
      options: VERIFY_OPTIONS,
      run: (given) => verify(options, given),
    },
    quarantine: {
      doc: 'print the samples that the receiver rejected, and why',
      options: QUARANTINE_OPTIONS,
      run: (given) => quarantineCommand(readDatabasePath(), given),
    },
    'check-config': {
      doc: 'print every variable and where its value came from, and check those of both programs',
      options: CHECK_CONFIG_OPTIONS,
      run: (given) => check(environment, given),
    },
  };
}

function status({ clock, environment, isTerminal }: CommandTableOptions, given: GivenOptions): Promise<CommandResult> {
  const isColored = isTerminal && environment['NO_COLOR'] === undefined;
  const { values: config, unknown: configurationWarnings } = loadUploaderConfig(environment);
  const device = { config, version: readVersion(), bootId: readBootId(), configurationWarnings };
  return statusCommand({ clock, ...device, asJson: given.has('--json'), isColored });
}

function verify(
  { clock, environment, showProgress }: CommandTableOptions,
  given: GivenOptions,
): Promise<CommandResult> {
  const { values: config } = loadUploaderConfig(environment);
  const surroundings = readSurroundings(environment, [config.remoteUrl, config.queryUrl]);
  return verifyCommand({ clock, config, surroundings, showProgress }, given);
}

function testConnection(
  { clock, environment, showProgress }: CommandTableOptions,
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
