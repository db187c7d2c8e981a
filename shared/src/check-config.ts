import { badConfiguration, type LoadedConfig, type Variables } from './config.js';

/**
 * The effective configuration as lines for a person: what each variable is and where that came from.
 *
 * @throws AgentError BAD_CONFIGURATION where a THUGSHELLS_ variable is unknown: a typing error must not go unseen
 */
export function describeConfig({ effective, unknown }: LoadedConfig<Variables>): string {
  if (unknown.length > 0) throw badConfiguration(unknown);
  const lines = effective.map(({ variable, value, origin }) => ({ assignment: `${variable}=${value}`, origin }));
  const width = Math.max(...lines.map(({ assignment }) => assignment.length));
  return lines.map(({ assignment, origin }) => `${assignment.padEnd(width)}  # ${origin}`).join('\n');
}
