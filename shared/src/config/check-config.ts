import { escapeControls } from '../printable.ts';
import { createConfigurationError, type LoadedConfig, type Variables } from './load-config.ts';

/** Options of the command `check-config`. */
export const CHECK_CONFIG_OPTIONS = { '--allow-unknown': 'exit with 0 also if THUGSHELLS_ variables are unknown' };

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
  const width = Math.max(...lines.map(({ assignment }) => assignment.length));
  return lines.map(({ assignment, origin }) => `${assignment.padEnd(width)}  # ${origin}`).join('\n');
}
