import { AgentError } from '../errors.ts';
import { escapeControls } from '../printable.ts';
import { loadCollectorConfig } from './collector-config.ts';
import { listDeviceNotices } from './default-device-names.ts';
import { selectGiven } from './environment-values.ts';
import {
  createConfigurationError,
  PREFIX,
  type Environment,
  type LoadedConfig,
  type Variables,
} from './load-config.ts';
import { loadUploaderVariables, requireMatchingProtocol } from './uploader-config.ts';
import { findPathWarning } from './write-path.ts';

/** Longer assignments, such as lists of patterns, do not move the origins of the others out of a terminal. */
const MAX_WIDTH = 60;

/** The configuration of a program, and what is likely wrong with that of either. */
export interface CheckedConfig<V extends Variables> {
  readonly loaded: LoadedConfig<V>;
  /** One sentence each: unknown variables, a name that many devices have, an address that no known receiver has. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration of a program and checks that of the other one too: they share an environment file.
 *
 * @param load reads the program's own
 * @throws AgentError BAD_CONFIGURATION that names every mistake in the variables of either
 */
export function checkConfig<V extends Variables>(
  environment: Environment,
  load: (environment: Environment) => LoadedConfig<V>,
): CheckedConfig<V> {
  const errors: AgentError[] = [];
  const attempt = <L>(read: (environment: Environment) => L): L | undefined => {
    try {
      return read(environment);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      errors.push(error);
      return undefined;
    }
  };
  const loaded = attempt(load);
  attempt(loadCollectorConfig);
  const uploader = attempt(loadUploaderVariables);
  // The collector's unit does not get the address, which may hold a password.
  const hasAddress = selectGiven(environment, PREFIX)[`${PREFIX}REMOTE_URL`] !== undefined;
  if (hasAddress && uploader !== undefined) attempt(() => requireMatchingProtocol(uploader.values));
  if (errors.length > 0 || loaded === undefined || uploader === undefined) throw joinErrors(errors);
  const { values } = uploader;
  return {
    loaded,
    warnings: [
      ...loaded.unknown,
      ...listDeviceNotices(values.deviceId),
      ...(hasAddress ? findPathWarning(values) : []),
    ],
  };
}

/** Joins errors, which repeat what is wrong with a variable that both programs read. */
function joinErrors(errors: readonly AgentError[]): AgentError {
  const lines = new Set(errors.flatMap(({ message }) => message.split('\n')));
  const hints = new Set(errors.flatMap(({ hint }) => hint ?? []));
  return new AgentError([...lines].join('\n'), { code: 'BAD_CONFIGURATION', hint: [...hints].join('; ') });
}

/**
 * Formats the effective configuration, one line a variable: its value and where that came from.
 *
 * @throws AgentError BAD_CONFIGURATION if a THUGSHELLS_ variable is unknown, which may be a typing error. Not with
 *   --allow-unknown: the programs themselves only log a warning about it.
 */
export function formatEffectiveConfig(
  { effective, unknown }: LoadedConfig<Variables>,
  given: { readonly has: (option: string) => boolean },
): string {
  if (unknown.length > 0 && !given.has('--allow-unknown')) throw createConfigurationError(unknown);
  const lines = effective.map(({ variable, value, origin }) => ({
    assignment: escapeControls(`${variable}=${value}`),
    origin,
  }));
  const widths = lines.map(({ assignment }) => assignment.length).filter((length) => length <= MAX_WIDTH);
  const width = Math.max(0, ...widths);
  return lines.map(({ assignment, origin }) => `${assignment.padEnd(width)}  # ${origin}`).join('\n');
}
