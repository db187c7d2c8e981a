import { toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

const CHECK_URL = 'check THUGSHELLS_REMOTE_URL';
const CHECK_NETWORK = 'check the network';
const SET_CLOCK =
  'set the clock of this device (run: timedatectl), or THUGSHELLS_CLOCK_SKEW_POLICY=correct and THUGSHELLS_CLOCK_SKEW_URL to the https address of another server';
const CHECK_CA = 'set THUGSHELLS_REMOTE_CA_FILE to the authority that signed it';

/** What a failure means and what to do, by the code of Node.js, OpenSSL or the HTTP parser. */
const reasons: readonly (readonly [code: RegExp, meaning: string, remedy: string])[] = [
  [/^ECONNREFUSED$/, 'nothing listens at this address', CHECK_URL],
  [/^ENOTFOUND$/, 'the host’s name is not known', `${CHECK_URL} and the name server`],
  [/^EAI_AGAIN$/, 'the name server does not respond', CHECK_NETWORK],
  [/^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL)$/, 'there is no route to the receiver', CHECK_NETWORK],
  [/^ETIMEDOUT$/, 'no response in time', `${CHECK_NETWORK} and the receiver`],
  [/^(ECONNRESET|EPIPE)$/, 'the connection was closed before a response came', ''],
  [/^CERT_NOT_YET_VALID$/, 'the receiver’s certificate is not valid yet by the clock of this device', SET_CLOCK],
  [
    /^CERT_HAS_EXPIRED$/,
    'the receiver’s certificate has expired by the clock of this device',
    `renew it, or ${SET_CLOCK}`,
  ],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/,
    'no known authority signed the receiver’s certificate',
    CHECK_CA,
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'the receiver’s certificate is for another name', CHECK_URL],
  [/^ERR_SSL_WRONG_VERSION_NUMBER$/, 'the port does not speak TLS', `use http:// or another port; ${CHECK_URL}`],
  [/^(ERR_SSL_|EPROTO$)/, 'no TLS connection could be agreed on', `${CHECK_URL} and the receiver’s TLS settings`],
  [/^HPE_/, 'the response is not HTTP, or longer than announced', CHECK_URL],
];

/** OpenSSL's wrong version number has the code EPROTO in some versions of Node.js. */
const WRONG_VERSION = /wrong version number|packet length too long/i;

/**
 * Describes why a request got no response: what it means, what to check, and the code; of a host with several addresses for
 * each of them. An unknown error keeps its own words.
 */
export function toFailureReason(error: unknown): string {
  const failed = findAttempts(error);
  if (failed.length < 2) {
    const { text, meaning, remedy, detail } = describe(failed[0] ?? error);
    return meaning === undefined ? text : `${join([meaning, remedy])} (${detail})`;
  }
  const described = failed.map((each) => ({ ...describe(each), address: toAddress(each) }));
  const attempts = described.map(({ address, meaning, text }) => `${address}: ${meaning ?? text}`);
  return join([attempts.join(', '), ...new Set(described.map(({ remedy }) => remedy))]);
}

/** Whether every address that was tried refused the connection: then nobody listens. */
export function isRefused(error: unknown): boolean {
  const failed = findAttempts(error);
  return (failed.length === 0 ? [error] : failed).every((each) => toErrorCode(each) === 'ECONNREFUSED');
}

/** Returns the errors of the single addresses of a host (AggregateError); none of an error that is not of several. */
function findAttempts(error: unknown): readonly unknown[] {
  const { errors, cause } = (error ?? {}) as { readonly errors?: unknown; readonly cause?: unknown };
  if (Array.isArray(errors)) return errors;
  return cause === undefined ? [] : findAttempts(cause);
}

function describe(error: unknown) {
  const text = toErrorMessage(error);
  const code = WRONG_VERSION.test(text) ? 'ERR_SSL_WRONG_VERSION_NUMBER' : (toErrorCode(error) ?? '');
  const [, meaning, remedy = ''] = reasons.find(([pattern]) => pattern.test(code)) ?? [];
  return { text, meaning, remedy, detail: toDetail(text, code) };
}

function join(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ');
}

/** `[::1]:443` */
function toAddress(error: unknown): string {
  const { address = '', port } = error as { readonly address?: string; readonly port?: number };
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** What an operator may search for: the error's own text, without the source files of OpenSSL. */
function toDetail(message: string, code: string): string {
  return /\.c:\d+|^$/.test(message) ? code : message;
}
