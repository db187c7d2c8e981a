import type { Environment } from '../config/load-config.ts';

/**
 * Returns whether an output may have colors: it is a terminal that has them, and NO_COLOR is not set to anything
 * (no-color.org).
 */
export function mayHaveColors(isTerminal: boolean, environment: Environment): boolean {
  return isTerminal && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}
