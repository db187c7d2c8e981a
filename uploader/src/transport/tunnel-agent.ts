import { request as requestHttp, STATUS_CODES, type AgentOptions, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { proxyAuthorization } from '@thugshells/shared/config/url-credentials.ts';
import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';

import { VerifyingAgent, type IdentityCheck } from './verifying-agent.ts';

/** Maximum time for the proxy's response to CONNECT. */
const CONNECT_TIMEOUT_MS = 30_000;
/** 4xx of a proxy that may pass by themselves; the others need an operator. */
const PASSING: readonly number[] = [408, 425, 429];

/** Codes of OpenSSL and of Node.js for certificates and TLS. */
const TLS_FAULT = /^(EPROTO$|ERR_(SSL|TLS)_)|CERT|SIGNATURE/;

type SocketCallback = (error: Error | null, socket: Duplex) => void;

/**
 * Connections by https through a proxy's CONNECT (RFC 9110, section 9.3.6), encrypted from this device to the receiver.
 *
 * Only 200 opens a tunnel. What a proxy responds otherwise is an error of the connection, and never the response to the
 * request that the tunnel was for: that one counts only if it comes from the receiver. Not https-proxy-agent, which
 * handed the proxy's 204 on as the receiver's, and reads the response to CONNECT without a limit.
 */
export class TunnelAgent extends VerifyingAgent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: AgentOptions, createIdentityCheck?: () => IdentityCheck) {
    super(options, createIdentityCheck);
    this.#proxy = proxy;
  }

  override createConnection(options: AgentOptions, callback?: SocketCallback): Duplex | null | undefined {
    this.#connect(options as AgentOptions & { host: string; port: number }).then(
      // A connection that is given a socket is made at once.
      (socket) => callback?.(null, super.createConnection({ ...options, socket } as AgentOptions)!),
      (error: Error) => callback?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  }

  /** Opens a tunnel to a host. */
  #connect(options: AgentOptions & { host: string; port: number }): Promise<Socket> {
    const { host, port, lookup, autoSelectFamilyAttemptTimeout } = options;
    const { protocol, hostname, port: proxyPort } = this.#proxy;
    const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const request = (protocol === 'https:' ? requestHttps : requestHttp)({
      method: 'CONNECT',
      host: hostname.replace(/^\[|\]$/g, ''),
      port: proxyPort === '' ? undefined : proxyPort,
      path: target,
      headers: { host: target, ...proxyAuthorization(this.#proxy) },
      agent: false,
      rejectUnauthorized: true,
      ...(lookup === undefined ? {} : { lookup }),
      ...(autoSelectFamilyAttemptTimeout === undefined ? {} : { autoSelectFamilyAttemptTimeout }),
    });
    const deadline = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
    const abandon = (): void =>
      void request.destroy(new Error(`no response of the proxy to CONNECT within ${CONNECT_TIMEOUT_MS / 1000} s`));
    deadline.addEventListener('abort', abandon);
    return new Promise<Socket>((resolve, reject) => {
      request.once('error', (error) => reject(toProxyError(error)));
      request.once('connect', (response: IncomingMessage, socket: Socket) => {
        if (response.statusCode === 200) return resolve(socket);
        socket.destroy();
        reject(toRefusal(response.statusCode ?? 0));
      });
      request.end();
    }).finally(() => deadline.removeEventListener('abort', abandon));
  }
}

/** A fault of the certificate or the TLS of an https:// proxy is none of the receiver's. */
function toProxyError(error: Error): Error {
  if (!TLS_FAULT.test(toErrorCode(error) ?? '')) return error;
  return new AgentError(`no verified TLS connection to the proxy: ${error.message}`, {
    code: 'PROXY_TLS',
    cause: error,
  });
}

function toRefusal(status: number): AgentError {
  const needsOperator = status >= 400 && status <= 499 && !PASSING.includes(status);
  return new AgentError(
    `the proxy did not open a tunnel to the receiver: HTTP ${status}${status in STATUS_CODES ? ` ${STATUS_CODES[status]}` : ''} in response to CONNECT`,
    { code: needsOperator ? 'PROXY_REFUSED' : 'TUNNEL_FAILED' },
  );
}
