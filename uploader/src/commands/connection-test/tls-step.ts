import { request as requestHttps } from 'node:https';
import { checkServerIdentity, TLSSocket, type PeerCertificate } from 'node:tls';

import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import { duration, shortDuration } from '../../health/formatting.ts';
import { ConnectionPool } from '../../transport/connection-pool.ts';
import type { TlsMaterial } from '../../transport/credentials.ts';
import { toFailureReason } from '../../transport/failure-reasons.ts';
import type { HttpTransportOptions } from '../../transport/http-transport.ts';
import { findBeside } from '../../transport/receiver-address.ts';
import { findRemedy } from '../../transport/recognized-responses.ts';
import { failed, isOfProxy, passed, type StepResult } from './step.ts';

/** What a TLS connection showed, also one whose peer could not be verified. */
interface TlsFindings {
  readonly protocol: string;
  readonly certificate: PeerCertificate;
  /** OpenSSL's or Node's code of what is wrong with the peer; undefined if it was verified. */
  readonly fault: string | undefined;
  readonly tookMs: number;
  /** The time of the receiver by its own word, Unix milliseconds; undefined if it did not respond. */
  readonly receiverMs: number | undefined;
}

const TIMEOUT_MS = 10_000;
const MAX_NAME_LENGTH = 80;
const MAX_NAMES_LENGTH = 200;
const DATE_FAULTS: readonly (string | undefined)[] = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];
const CHECK_TLS = 'check the TLS settings of the receiver and of what is in front of it';
const SET_CLOCK =
  'set the clock of this device (run: timedatectl set-ntp true), or THUGSHELLS_CLOCK_SKEW_POLICY=correct';

/** Tests the encryption to the receiver, through the tunnel of a proxy if there is one. */
export async function testTls(options: HttpTransportOptions): Promise<StepResult> {
  const { remoteUrl, clock, credentials, proxyFor } = options;
  try {
    const found = await inspect(options, credentials.tls());
    return found.fault === undefined ? passed('tls', describe(found)) : toFailedPeer(found, remoteUrl, clock);
  } catch (error) {
    const reason = toFailureReason(error, proxyFor(remoteUrl) !== '');
    return failed(isOfProxy(toErrorCode(error)) ? 'proxy' : 'tls', reason, findRemedy(reason) ?? CHECK_TLS);
  }
}

/** Whether the port of an http:// address speaks TLS: a server may close what does not, without a word. */
export async function speaksTls(options: HttpTransportOptions): Promise<boolean> {
  const { hostname, port, pathname } = new URL(options.remoteUrl);
  const remoteUrl = `https://${hostname}:${port || 80}${pathname}`;
  return inspect({ ...options, remoteUrl }, {}).then(
    () => true,
    // It may require a certificate of this device.
    (error: unknown) => /alert/i.test(toErrorMessage(error)),
  );
}

/**
 * Opens a connection whose peer need not be verified, and requests the health address over it, without credentials: what is
 * wrong with a certificate, and whose clock is, is known only from what it shows.
 */
function inspect(options: HttpTransportOptions, material: TlsMaterial): Promise<TlsFindings> {
  const { remoteUrl, clock } = options;
  const host = new URL(remoteUrl).hostname.replace(/^\[|\]$/g, '');
  const url = findBeside(remoteUrl, 'health');
  Object.assign(url, { username: '', password: '' });
  const pool = new ConnectionPool(options, () => () => (_, certificate) => checkServerIdentity(host, certificate));
  const startedAt = clock.monotonic();
  return new Promise((resolve, reject) => {
    let found: Omit<TlsFindings, 'receiverMs'> | undefined;
    const request = requestHttps(url, {
      method: 'HEAD',
      agent: pool.createAgents(url.href).https,
      rejectUnauthorized: false,
      ...(material.certificateAuthority && { ca: material.certificateAuthority }),
      ...(material.certificate && { cert: material.certificate }),
      ...(material.key && { key: material.key }),
    });
    const end = (receiverMs?: number, error?: Error): void => {
      request.destroy();
      const refusal = /ALERT/.test(toErrorCode(error) ?? '');
      if (found === undefined || refusal) reject(error ?? new AgentError('no TLS', { code: 'ETIMEDOUT' }));
      else resolve({ ...found, receiverMs });
    };
    request.on('socket', (socket) => {
      if (!(socket instanceof TLSSocket)) return;
      const note = (): void => void (found = { ...readPeer(socket), tookMs: clock.monotonic() - startedAt });
      if (socket.getProtocol() !== null && !socket.connecting) note();
      socket.once('secureConnect', note);
    });
    request.once('response', ({ headers }) => end(Date.parse(headers.date ?? '') || undefined));
    request.on('error', (error) => end(undefined, error));
    request.setTimeout(TIMEOUT_MS, () => end(undefined, new AgentError('no response', { code: 'ETIMEDOUT' })));
    request.end();
  });
}

function readPeer(socket: TLSSocket): Omit<TlsFindings, 'receiverMs' | 'tookMs'> {
  const fault = socket.authorized ? undefined : String(socket.authorizationError);
  return { protocol: socket.getProtocol() ?? '', certificate: socket.getPeerCertificate(), fault };
}

function describe({ protocol, certificate, tookMs }: TlsFindings): string {
  const { issuer, valid_to: validTo } = certificate;
  const until = formatTime(Date.parse(validTo)).slice(0, 10);
  return `${protocol}, certificate of ${toName(certificate.subject)} by ${toName(issuer)}, valid until ${until} (${shortDuration(tookMs)})`;
}

function toFailedPeer(found: TlsFindings, remoteUrl: string, clock: Clock): StepResult {
  const { fault = '', certificate } = found;
  if (DATE_FAULTS.includes(fault)) return toFailedDate(found, clock.now());
  const isOfOtherName = fault === 'ERR_TLS_CERT_ALTNAME_INVALID';
  const detail = isOfOtherName
    ? `for ${toExcerpt(certificate.subjectaltname ?? toName(certificate.subject), MAX_NAMES_LENGTH)}, not for ${new URL(remoteUrl).hostname}`
    : `issued by ${toName(certificate.issuer)}`;
  const reason = toFailureReason(Object.assign(new Error(detail), { code: fault }));
  return failed('tls', reason, findRemedy(reason));
}

/** Finds out whose clock is wrong: that of this device if the certificate is valid at the time that the receiver names. */
function toFailedDate({ fault, certificate, receiverMs }: TlsFindings, nowMs: number): StepResult {
  const [fromMs, toMs] = [Date.parse(certificate.valid_from), Date.parse(certificate.valid_to)];
  const isValidAt = (ms: number): boolean => ms >= fromMs && ms <= toMs;
  const what =
    fault === 'CERT_HAS_EXPIRED'
      ? `the receiver’s certificate has expired on ${formatTime(toMs)}`
      : `the receiver’s certificate is not valid before ${formatTime(fromMs)}`;
  const own = `by the clock of this device it is ${formatTime(nowMs)}`;
  if (receiverMs === undefined) return failed('tls', `${what}, and ${own}`, `renew it, or ${SET_CLOCK}`);
  const differenceMs = Math.abs(receiverMs - nowMs);
  const other = `by the receiver’s ${formatTime(receiverMs)}`;
  if (isValidAt(receiverMs)) {
    const direction = nowMs < receiverMs ? 'behind' : 'ahead';
    const wrong = `the clock of this device is wrong, or the receiver’s: ${duration(differenceMs / 1000)} ${direction}`;
    return failed('tls', `${what}; ${own}, ${other}; ${wrong}`, SET_CLOCK);
  }
  // A chain may hold another certificate whose dates are wrong.
  const renew = isValidAt(nowMs)
    ? 'renew the certificate of the authority that signed it'
    : fault === 'CERT_HAS_EXPIRED'
      ? 'renew the certificate of the receiver'
      : 'set the clock of the receiver, or replace its certificate';
  return failed('tls', `${what}; ${own}, ${other}`, renew);
}

/** Names a subject or an issuer of a certificate, which anybody may have written. */
function toName({ CN, O }: PeerCertificate['issuer']): string {
  const name = [CN ?? O ?? 'nobody'].flat()[0]!;
  return `"${toExcerpt(name, MAX_NAME_LENGTH)}"`;
}
