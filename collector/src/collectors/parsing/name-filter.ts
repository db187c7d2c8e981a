import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

/** Which names of devices or interfaces to report; both lists are regular expressions that must match a whole name. */
export interface NameRules {
  /** Empty: every name. */
  readonly include: readonly string[];
  /** Wins over `include`. */
  readonly exclude: readonly string[];
}

/**
 * Compiles rules into a test for one name.
 *
 * @throws AgentError BAD_CONFIGURATION for what is no regular expression
 */
export function createNameFilter({ include, exclude }: NameRules): (name: string) => boolean {
  const included = include.map(compileAnchored);
  const excluded = exclude.map(compileAnchored);
  return (name) =>
    (included.length === 0 || included.some((expression) => expression.test(name))) &&
    !excluded.some((expression) => expression.test(name));
}

/** Anchored, so that `lo` does not take `wlo1` with it; the group keeps `a|b` together. */
function compileAnchored(source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})$`);
  } catch (error) {
    throw new AgentError(`"${source}" is not a regular expression: ${toErrorMessage(error)}`, {
      code: 'BAD_CONFIGURATION',
      hint: 'Names are matched by JavaScript regular expressions, anchored at both ends: "veth.*", not "veth*".',
      cause: error,
    });
  }
}
