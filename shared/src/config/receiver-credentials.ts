import { AgentError } from '../errors.ts';
import { maskCredentials } from './load-config.ts';

/** The variables that decide how the receiver knows this device; empty ones are not set. */
export interface ReceiverCredentials {
  readonly remoteUrl: string;
  readonly queryUrl: string;
  readonly clockSkewUrl: string;
  readonly remoteTokenFile: string;
  readonly remoteUser: string;
  readonly remotePasswordFile: string;
  readonly remoteCertFile: string;
  readonly remoteKeyFile: string;
}

/**
 * Refuses a half of two variables that belong together, and two credentials for the one header Authorization.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function requireUsableCredentials(config: ReceiverCredentials): void {
  const { remoteCertFile, remoteKeyFile, remoteUser, remotePasswordFile } = config;
  requireBoth(
    { REMOTE_CERT_FILE: remoteCertFile, REMOTE_KEY_FILE: remoteKeyFile },
    'set both variables: to two files, or both to one file that holds certificate and key',
  );
  requireBoth(
    { REMOTE_USER: remoteUser, REMOTE_PASSWORD_FILE: remotePasswordFile },
    'set both variables: to the user, and to the file that holds the password',
  );
  requireOneCredential(config);
}

/** Returns the variable that the header Authorization is made of; undefined if there is none. */
export function findAuthorizationSource(config: Partial<ReceiverCredentials>): string | undefined {
  const { remoteTokenFile = '', remoteUser = '', remoteUrl = '', queryUrl = '', clockSkewUrl = '' } = config;
  if (remoteTokenFile !== '') return 'THUGSHELLS_REMOTE_TOKEN_FILE';
  if (remoteUser !== '') return 'THUGSHELLS_REMOTE_USER';
  const urls = { REMOTE_URL: remoteUrl, QUERY_URL: queryUrl, CLOCK_SKEW_URL: clockSkewUrl };
  const found = Object.entries(urls).find(
    ([variable, url]) => url !== '' && hasCredentials(url) && isOfReceiver(variable, url, remoteUrl),
  );
  return found && `the user and the password in THUGSHELLS_${found[0]}`;
}

function requireBoth(files: Readonly<Record<string, string>>, hint: string): void {
  const [given, missing] = Object.entries(files).sort(([, a], [, b]) => Number(a === '') - Number(b === ''));
  if ((given![1] === '') === (missing![1] === '')) return;
  throw new AgentError(
    `THUGSHELLS_${given![0]}=${maskCredentials(given![1])}: needs THUGSHELLS_${missing![0]} beside it`,
    { code: 'BAD_CONFIGURATION', hint },
  );
}

/** Refuses a user or a password in a URL beside a token or a user, and a token beside a user. */
function requireOneCredential(config: ReceiverCredentials): void {
  const { remoteUrl, queryUrl, clockSkewUrl, remoteTokenFile, remoteUser } = config;
  if (remoteTokenFile === '' && remoteUser === '') return;
  if (remoteTokenFile !== '' && remoteUser !== '')
    throw new AgentError(
      `THUGSHELLS_REMOTE_USER=${maskCredentials(remoteUser)}: is a user, and THUGSHELLS_REMOTE_TOKEN_FILE=${maskCredentials(remoteTokenFile)} has a token; only one can be sent`,
      { code: 'BAD_CONFIGURATION', hint: 'remove the user and its password file, or remove the token file' },
    );
  const [other, remedy] =
    remoteTokenFile === ''
      ? [`THUGSHELLS_REMOTE_USER=${maskCredentials(remoteUser)} is set`, 'THUGSHELLS_REMOTE_USER']
      : [`THUGSHELLS_REMOTE_TOKEN_FILE=${maskCredentials(remoteTokenFile)} has a token`, 'the token file'];
  const urls = { REMOTE_URL: remoteUrl, QUERY_URL: queryUrl || remoteUrl, CLOCK_SKEW_URL: clockSkewUrl || remoteUrl };
  for (const [variable, url] of Object.entries(urls)) {
    if (!hasCredentials(url) || !isOfReceiver(variable, url, remoteUrl)) continue;
    throw new AgentError(
      `THUGSHELLS_${variable}=${maskCredentials(url)}: has a user or a password, and ${other}; only one can be sent`,
      {
        code: 'BAD_CONFIGURATION',
        hint: `remove the user and the password from THUGSHELLS_${variable}, or remove ${remedy}`,
      },
    );
  }
}

function hasCredentials(url: string): boolean {
  const { username, password } = new URL(url);
  return username !== '' || password !== '';
}

/** Whether the credentials of REMOTE_URL are sent with requests to a URL. */
function isOfReceiver(variable: string, url: string, remoteUrl: string): boolean {
  return variable === 'QUERY_URL' || new URL(url).origin === new URL(remoteUrl).origin;
}
