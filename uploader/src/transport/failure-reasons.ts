import { toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

const CHECK_URL = 'check THUGSHELLS_REMOTE_URL';
const CHECK_NETWORK = 'check the network';
const SET_CLOCK =
  'set the clock of this device (run: timedatectl), or THUGSHELLS_CLOCK_SKEW_POLICY=correct and THUGSHELLS_CLOCK_SKEW_URL to the https address of another server';
const CHECK_CA = 'set THUGSHELLS_REMOTE_CA_FILE to the authority that signed it';

/** What a failure means and what to do, by the code of Node.js, OpenSSL or the HTTP parser. */
const reasons: readonly (readonly [code: RegExp, meaning: string, remedy: string])[] = [
  [/^ECONNREFUSED$/, 'nothing listens at this address', `start the receiver, or ${CHECK_URL}`],
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
  [
    /ALERT_(CERTIFICATE_\w+|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA)$/,
    'the receiver requires another certificate of this device',
    'check THUGSHELLS_REMOTE_CERT_FILE and THUGSHELLS_REMOTE_KEY_FILE',
  ],
  [/^(ERR_SSL_|EPROTO$)/, 'no TLS connection could be agreed on', `${CHECK_URL} and the receiver’s TLS settings`],
  [/^TLS_RECORD$/, 'the port speaks TLS', 'use https:// in THUGSHELLS_REMOTE_URL'],
  [/^HPE_/, 'the response is not HTTP, or longer than announced', CHECK_URL],
];

/** What differs through a proxy: this device connects to the proxy alone. */
const CHECK_PROXY = 'check the proxy that the environment names (http_proxy, https_proxy, all_proxy)';
const reasonsOfProxy: typeof reasons = [
  [/^ECONNREFUSED$/, 'nothing listens at the address of the proxy', CHECK_PROXY],
  [/^ENOTFOUND$/, 'the name of the proxy is not known', `${CHECK_PROXY} and the name server`],
  [/^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL)$/, 'there is no route to the proxy', CHECK_NETWORK],
  [/^PROXY_TLS$/, 'the proxy cannot be verified', CHECK_PROXY],
  [/^PROXY_REFUSED$/, 'the proxy refuses this connection', CHECK_PROXY],
];

/** What each failure means and what to do, as the documents list them. */
export const FAILURES: readonly { readonly meaning: string; readonly remedy: string }[] = [
  ...reasons,
  ...reasonsOfProxy,
].map(([, meaning, remedy]) => ({ meaning, remedy }));

/** Each remedy that a reason may name; one that another one begins or ends with comes later. */
export const REMEDIES: readonly string[] = [...new Set(FAILURES.map(({ remedy }) => remedy))]
  .filter((remedy) => remedy !== '')
  .sort((a, b) => b.length - a.length);

const TLS_ALERT = 0x15;
const TLS_MAJOR = 3;

/** OpenSSL's wrong version number has the code EPROTO in some versions of Node.js. */
const WRONG_VERSION = /wrong version number|packet length too long/i;

/**
 * Describes why a request got no response: what it means, what to check, and the code; of a host with several addresses for
 * each of them. An unknown error keeps its own words.
 *
 * @param isThroughProxy whether this device connects to a proxy instead of the receiver
 */
export function toFailureReason(error: unknown, isThroughProxy = false): string {
  const all = isThroughProxy ? [...reasonsOfProxy, ...reasons] : reasons;
  const failed = findAttempts(error);
  if (failed.length < 2) {
    const { text, meaning, remedy, detail } = describe(failed[0] ?? error, all);
    return meaning === undefined ? text : `${join([meaning, remedy])} (${detail})`;
  }
  const described = failed.map((each) => ({ ...describe(each, all), address: toAddress(each) }));
  const attempts = described.map(({ address, meaning, text }) => `${address}: ${meaning ?? text}`);
  return join([attempts.join(', '), ...new Set(described.map(({ remedy }) => remedy))]);
}

/** Describes in a few words, without a remedy, why there was no response. */
export function toFailureMeaning(error: unknown): string {
  const { meaning, text } = describe(error, reasons);
  return meaning ?? text;
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

function describe(error: unknown, all: typeof reasons) {
  const text = toErrorMessage(error);
  const code = findCode(error, text);
  const [, meaning, remedy = ''] = all.find(([pattern]) => pattern.test(code)) ?? [];
  return { text, meaning, remedy, detail: toDetail(text, code) };
}

function findCode(error: unknown, text: string): string {
  if (WRONG_VERSION.test(text)) return 'ERR_SSL_WRONG_VERSION_NUMBER';
  return startsWithTlsRecord(error) ? 'TLS_RECORD' : (toErrorCode(error) ?? '');
}

/** Whether what the HTTP parser could not read is TLS: an alert (RFC 8446, section 5.1). */
function startsWithTlsRecord(error: unknown): boolean {
  const { rawPacket, cause } = (error ?? {}) as { readonly rawPacket?: unknown; readonly cause?: unknown };
  if (Buffer.isBuffer(rawPacket)) return rawPacket[0] === TLS_ALERT && rawPacket[1] === TLS_MAJOR;
  return cause !== undefined && startsWithTlsRecord(cause);
}

function join(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ');
}

/** `[::1]:443` */
function toAddress(error: unknown): string {
  const { address = '', port } = error as { readonly address?: string; readonly port?: number };
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** `…:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:../deps/openssl/…c:918:SSL alert …` */
const OPENSSL_REASON = /:SSL routines:[^:]*:([^:]+):/;

/** What an operator may search for: the error's own text; of OpenSSL's, which name its source files, the reason. */
function toDetail(message: string, code: string): string {
  if (!/\.c:\d+|^$/.test(message)) return message;
  const reason = OPENSSL_REASON.exec(message)?.[1];
  return reason === undefined ? code : `${code}: ${reason}`;
}
