import { toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

const CHECK_URL = 'check THUGSHELLS_REMOTE_URL';
const SET_CLOCK =
  'set the clock of this device (run: timedatectl), or THUGSHELLS_CLOCK_SKEW_POLICY=correct and THUGSHELLS_CLOCK_SKEW_URL to the https address of another server';
const CHECK_CA = 'set THUGSHELLS_REMOTE_CA_FILE to the authority that signed it';

/** What a failure means and what to check, by the code of Node.js, OpenSSL or the HTTP parser. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, `nothing listens at this address; ${CHECK_URL}`],
  [/^ENOTFOUND$/, `the host’s name is not known; ${CHECK_URL} and the name server`],
  [/^EAI_AGAIN$/, 'the name server does not respond; check the network'],
  [/^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL)$/, 'there is no route to the receiver; check the network'],
  [/^ETIMEDOUT$/, 'no response in time; check the network and the receiver'],
  [/^(ECONNRESET|EPIPE)$/, 'the connection was closed before a response came'],
  [/^CERT_NOT_YET_VALID$/, `the receiver’s certificate is not valid yet by the clock of this device; ${SET_CLOCK}`],
  [
    /^CERT_HAS_EXPIRED$/,
    `the receiver’s certificate has expired by the clock of this device; renew it, or ${SET_CLOCK}`,
  ],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/,
    `no known authority signed the receiver’s certificate; ${CHECK_CA}`,
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, `the receiver’s certificate is for another name; ${CHECK_URL}`],
  [/^ERR_SSL_WRONG_VERSION_NUMBER$/, `the port does not speak TLS; use http:// or another port; ${CHECK_URL}`],
  [/^(ERR_SSL_|EPROTO$)/, `no TLS connection could be agreed on; ${CHECK_URL} and the receiver’s TLS settings`],
  [/^HPE_/, `the response is not HTTP, or longer than announced; ${CHECK_URL}`],
];

/** OpenSSL's wrong version number has the code EPROTO in some versions of Node.js. */
const WRONG_VERSION = /wrong version number|packet length too long/i;

/**
 * Describes why a request got no response: what it means, what to check, and the code. An unknown error keeps its own
 * words.
 */
export function toFailureReason(error: unknown): string {
  const message = toErrorMessage(error);
  const given = toErrorCode(error) ?? '';
  const code = WRONG_VERSION.test(message) ? 'ERR_SSL_WRONG_VERSION_NUMBER' : given;
  const [, reason] = reasons.find(([pattern]) => pattern.test(code)) ?? [];
  return reason === undefined ? message : `${reason} (${toDetail(message, code)})`;
}

/** What an operator may search for: the error's own text, without the source files of OpenSSL. */
function toDetail(message: string, code: string): string {
  return /\.c:\d+|^$/.test(message) ? code : message;
}
