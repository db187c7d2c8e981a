import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

/** Names of devices or interfaces to report; both lists are regular expressions that must match a whole name. */
export interface NameRules {
  /** Empty: every name. */
  readonly include: readonly string[];
  /** Wins over `include`. */
  readonly exclude: readonly string[];
}

/**
 * Compiles rules into a predicate for names.
 *
 * @throws AgentError BAD_CONFIGURATION if one is not a regular expression
 */
export function createNameFilter({ include, exclude }: NameRules): (name: string) => boolean {
  const isIncluded = createNameMatcher(include);
  const isExcluded = createNameMatcher(exclude);
  return (name) => (include.length === 0 || isIncluded(name)) && !isExcluded(name);
}

/**
 * Compiles regular expressions into a predicate for names that one of them matches.
 *
 * @throws AgentError BAD_CONFIGURATION if one is not a regular expression
 */
export function createNameMatcher(sources: readonly string[]): (name: string) => boolean {
  const expressions = sources.map(compileAnchored);
  return (name) => expressions.some((expression) => expression.test(name));
}

/** Anchors an expression, so that `lo` does not match `wlo1`; the group keeps `a|b` together. */
function compileAnchored(source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})$`);
  } catch (error) {
    throw new AgentError(`cannot compile the regular expression "${source}": ${toErrorMessage(error)}`, {
      code: 'BAD_CONFIGURATION',
      hint: 'use JavaScript regular expressions that match a whole name: "veth.*", not "veth*"',
      cause: error,
    });
  }
}
