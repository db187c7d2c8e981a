import convict from 'convict';

import { AgentError } from '../errors.ts';
import { selectGiven, type Environment } from './environment-values.ts';
import type { ValueFormat } from './formats.ts';
import { suggest } from './nearest.ts';
import { isPublicParameter, MIN_NAME_LENGTH } from './secret-mask.ts';

export type { Environment } from './environment-values.ts';

/** The prefix of both programs' variables. */
export const PREFIX = 'THUGSHELLS_';

/** One environment variable. */
export interface Variable<T> {
  /** Without the prefix: `DEVICE_ID`. */
  readonly env: string;
  /** One sentence for the documents. */
  readonly doc: string;
  /** As it would be written in the environment; parsed by the same format as a given value. */
  readonly default: string;
  readonly format: ValueFormat<T>;
  /** Shown instead of the default if that depends on the machine. */
  readonly defaultDoc?: string;
  /** A variable (without prefix) whose value, if it is given and valid, is used instead of the default. */
  readonly inheritsFrom?: string;
}

/** Names in the program → variables. */
export type Variables = Readonly<Record<string, Variable<unknown>>>;

/** The values that a set of variables yields. */
export type ConfigValues<V extends Variables> = { readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never };

/** A configuration that has been read. */
export interface LoadedConfig<V extends Variables> {
  readonly values: ConfigValues<V>;
  /**
   * For check-config: every variable as it would be written, credentials masked. The origin is `environment`,
   * `default`, or the name of the variable it was inherited from.
   */
  readonly effective: readonly { readonly variable: string; readonly value: string; readonly origin: string }[];
  /** One sentence for each THUGSHELLS_ variable that neither program knows. */
  readonly unknown: readonly string[];
}

/** The variables that are given, by name with the prefix. */
type GivenValues = Readonly<Record<string, string>>;

const problem = Symbol('a text that its format could not read');
type Unreadable = { readonly [problem]: string };

/**
 * Reads `variables` from `environment` by convict.
 *
 * @param knownNames every variable name (without prefix) that this or the other program accepts
 * @throws AgentError BAD_CONFIGURATION that names every variable whose value cannot be used, with the value
 */
export function loadConfig<V extends Variables>(
  variables: V,
  environment: Environment,
  knownNames: readonly string[],
): LoadedConfig<V> {
  const given = selectGiven(environment, PREFIX);
  const config = convict(toConvictSchema(variables, given), { env: given, args: [] });
  const values = config.getProperties();
  const problems = findProblems(variables, values);
  const unknown = findUnknown(environment, knownNames);
  if (problems.length > 0) throw createConfigurationError([...problems, ...unknown]);
  return {
    values: Object.freeze(values) as ConfigValues<V>,
    effective: listEffective(variables, given),
    unknown,
  };
}

/**
 * Creates the error of a configuration that cannot be used.
 *
 * @param problems one sentence a variable
 */
export function createConfigurationError(problems: readonly string[]): AgentError {
  return new AgentError(`cannot use the configuration:\n${problems.map((line) => `  ${line}`).join('\n')}`, {
    code: 'BAD_CONFIGURATION',
    hint: 'correct or remove the variables named above; check-config prints every value and where it came from',
  });
}

/**
 * Masks the user and the password of an address and the values of its query that may be secrets, so that a line may be
 * printed or logged.
 */
export function maskCredentials(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  // An address with a typing error, or among other words, does not parse, and its password is still a secret.
  if (url === undefined || url.host === '') return maskWords(value);
  if (url.username === '' && url.password === '' && url.search === '') return value;
  if (url.password !== '' || url.username !== '') {
    url.username = '***';
    url.password = '';
  }
  url.search = maskQuery(url.search);
  return url.href;
}

function maskWords(value: string): string {
  const withoutUsers = value.replace(/(\w+:\/\/)\S*@|[^\s/=]+:\S*@/g, '$1***@');
  // After a bracket, it is the beginning of a group in a regular expression.
  return withoutUsers.replace(/(?<!\()[?&][^\s#]+/g, maskQuery);
}

/** Masks what may be a secret in a query, `?a=1&b=2`, or a part of one. */
function maskQuery(query: string): string {
  return query.replace(/([?&])([^=&]*)(=?)([^&]*)/g, (pair, sign: string, name: string, equals: string) => {
    if (equals === '') return name.length < MIN_NAME_LENGTH ? pair : `${sign}***`;
    return isPublicParameter(name) ? pair : `${sign}${name}=***`;
  });
}

/** Builds convict's schema for a set of variables: it reads the environment, and coerces and validates by our formats. */
function toConvictSchema(variables: Variables, given: GivenValues): convict.Schema<Record<string, unknown>> {
  const schema: Record<string, convict.SchemaObj> = {};
  for (const [key, variable] of Object.entries(variables)) {
    const formatName = `thugshells:${variable.env}`;
    convict.addFormat({
      name: formatName,
      coerce: (given: string) => variable.format.parse(given) ?? { [problem]: given },
      validate: (value: unknown) => {
        if (isUnreadable(value)) throw new Error(`must be ${variable.format.expected}`);
      },
    });
    schema[key] = {
      doc: variable.doc,
      default: findFallback(variable, given).value,
      format: formatName,
      env: PREFIX + variable.env,
    };
  }
  return schema as convict.Schema<Record<string, unknown>>;
}

function isUnreadable(value: unknown): value is Unreadable {
  return typeof value === 'object' && value !== null && problem in value;
}

function findProblems(variables: Variables, values: Record<string, unknown>): string[] {
  return Object.entries(variables).flatMap(([key, variable]) => {
    const value = values[key];
    if (!isUnreadable(value)) return [];
    const what = variable.format.problem?.(value[problem]) ?? `must be ${variable.format.expected}`;
    return `${PREFIX}${variable.env}=${maskCredentials(value[problem])}: ${what}`;
  });
}

/** Finds the value of a variable that is not given itself. */
function findFallback(variable: Variable<unknown>, given: GivenValues): { value: string; origin: string } {
  const ancestor = variable.inheritsFrom === undefined ? undefined : PREFIX + variable.inheritsFrom;
  const inherited = ancestor === undefined ? undefined : given[ancestor];
  const usable = inherited !== undefined && variable.format.parse(inherited) !== undefined;
  return usable ? { value: inherited, origin: ancestor ?? '' } : { value: variable.default, origin: 'default' };
}

function listEffective(variables: Variables, given: GivenValues): LoadedConfig<Variables>['effective'] {
  return Object.values(variables).map((variable) => {
    const own = given[PREFIX + variable.env];
    const { value, origin } = own === undefined ? findFallback(variable, given) : { value: own, origin: 'environment' };
    return { variable: PREFIX + variable.env, value: maskCredentials(value), origin };
  });
}

function findUnknown(environment: Environment, knownNames: readonly string[]): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !knownNames.includes(name.slice(PREFIX.length)))
    .map((name) => {
      const guess = suggest(name.slice(PREFIX.length), knownNames, PREFIX);
      return `${name} is not a variable of this program${guess}`;
    });
}
