/** The variables of the process, as node gives them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const ENCLOSED = /^(["'])(?:(?!\1).)*\1$/s;
const BLANKS_ALONE = /^[ \t]+$/;

/**
 * Returns what a variable is meant to be. systemd takes quotes and carriage returns of an environment file away; Docker and
 * Podman do not, and a file that Windows has written has one at the end of each line.
 *
 * Blanks around a value are no part of it, nor is a pair of quotes that encloses it. Blanks alone stay: they are a mistake,
 * which the format of the variable names.
 */
export function cleanValue(given: string): string {
  if (BLANKS_ALONE.test(given)) return given;
  let value = given.trim();
  while (ENCLOSED.test(value)) value = value.slice(1, -1).trim();
  return value;
}

/** Returns the values of the variables whose names begin with a prefix, cleaned; an empty one is not given. */
export function selectGiven(environment: Environment, prefix: string): Record<string, string> {
  const own = Object.entries(environment).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(
    own.map(([name, value = '']): [string, string] => [name, cleanValue(value)]).filter(([, value]) => value !== ''),
  );
}
