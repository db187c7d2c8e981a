import { getProxyForUrl } from 'proxy-from-env';

import { cleanValue } from '@thugshells/shared/config/environment-values.ts';
import { RAW_PERCENT, isSendable } from '@thugshells/shared/config/formats.ts';
import { createConfigurationError, maskCredentials, type Environment } from '@thugshells/shared/config/load-config.ts';

import { isLoopback } from './transport/loopback.ts';

/** The settings of uploads that come from systemd and from the system's proxy variables. */
export interface Surroundings {
  /** Directory of the unit's credentials (systemd.exec(5), LoadCredential=); empty if there is none. */
  readonly credentialsDirectory: string;
  /** Returns the URL of the proxy for a URL; empty for none. */
  readonly proxyFor: (url: string) => string;
}

const PROXY_VARIABLE = /^(http|https|all|no)_proxy$/i;

/** Cleans the proxy variables of the process as the program's own ones are: proxy-from-env reads them there. */
export function cleanProxyVariables(environment: Record<string, string | undefined>): void {
  for (const [name, value = ''] of Object.entries(environment))
    if (PROXY_VARIABLE.test(name)) environment[name] = cleanValue(value);
}

/**
 * Reads the variables that are not the program's own.
 *
 * @param urls what is requested; empty ones are not
 * @throws AgentError BAD_CONFIGURATION if the proxy of one of them cannot be used
 */
export function readSurroundings(environment: Environment, urls: readonly string[]): Surroundings {
  const problems = urls.filter((url) => url !== '').flatMap((url) => findProxyProblem(environment, url) ?? []);
  if (problems.length > 0) throw createConfigurationError([...new Set(problems)]);
  return {
    credentialsDirectory: environment['CREDENTIALS_DIRECTORY'] ?? '',
    proxyFor: findProxy,
  };
}

/**
 * Returns the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL, in capitals or not; empty for none.
 * A receiver on this device is never behind one, as with Go's ProxyFromEnvironment: the proxy's loopback is another.
 */
function findProxy(url: string): string {
  return isLoopback(new URL(url)) ? '' : getProxyForUrl(url);
}

/** Returns what is wrong with the proxy that the environment names for a URL; undefined if nothing is. */
function findProxyProblem(environment: Environment, url: string): string | undefined {
  const proxy = findProxy(url);
  if (proxy === '') return undefined;
  const scheme = new URL(url).protocol.slice(0, -1);
  const names = [`${scheme}_proxy`, 'all_proxy'].flatMap((name) => [name, name.toUpperCase()]);
  const variable = names.find((name) => (environment[name] ?? '') !== '') ?? names[0];
  const parsed = URL.canParse(proxy) ? new URL(proxy) : undefined;
  const isUsable = parsed?.protocol === 'http:' || (parsed?.protocol === 'https:' && scheme === 'https');
  if (isUsable && isSendable(parsed)) return undefined;
  const what = isUsable
    ? RAW_PERCENT
    : `must be the http://${scheme === 'https' ? ' or https://' : ''} address of a proxy for ${scheme}:// addresses`;
  return `${variable}=${maskCredentials(proxy)}: ${what}`;
}
