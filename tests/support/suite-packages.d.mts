/** A Debian package that tests run commands of; `a|b` among the commands if one of the two is enough. */
export interface Requirement {
  readonly package: string;
  readonly commands: readonly string[];
  readonly variable?: string;
  readonly proof?: readonly string[];
}

export const SUITES: Readonly<
  Record<string, { readonly needsRoot: boolean; readonly requirements: readonly Requirement[] }>
>;

interface WhereToSearch {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly toolsDir?: string;
}

/** Returns the PATH that the suite's tests are run with. */
export function searchPath(suite: string, where?: WhereToSearch): string;

/** Finds what a suite needs and this machine lacks. */
export function missingRequirements(suite: string, where?: WhereToSearch): Requirement[];
