import { getProxyForUrl } from 'proxy-from-env';

import type { Environment } from '@thugshells/shared/config/load-config.ts';

/** The settings of uploads that come from systemd and from the system's proxy variables. */
export interface Surroundings {
  /** Directory of the unit's credentials (systemd.exec(5), LoadCredential=); empty if there is none. */
  readonly credentialsDirectory: string;
  /** Returns the URL of the proxy for a URL; empty for none. */
  readonly proxyFor: (url: string) => string;
}

/** Reads the variables that are not the program's own. */
export function readSurroundings(environment: Environment): Surroundings {
  return {
    credentialsDirectory: environment['CREDENTIALS_DIRECTORY'] ?? '',
    // HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in capitals or not.
    proxyFor: getProxyForUrl,
  };
}
