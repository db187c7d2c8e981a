import type { AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { PeerCertificate } from 'node:tls';

/** Returns why the peer of a connection is not whom it was opened to; undefined if it is. */
export type IdentityCheck = (host: string, certificate: PeerCertificate) => Error | undefined;

/**
 * Connections by https whose peer is checked by a function of their own.
 *
 * It is given to a connection and not to a request: since Node.js 24.21 a request with a check of its own is never sent over
 * a kept connection (lib/https.js, kPerRequestCheckServerIdentity). No TLS session is resumed: Node.js checks nobody then.
 */
export class VerifyingAgent extends HttpsAgent {
  readonly #createIdentityCheck: (() => IdentityCheck) | undefined;

  /** @param createIdentityCheck is called as each connection is opened; undefined for the check of TLS itself */
  constructor(options: AgentOptions, createIdentityCheck: (() => IdentityCheck) | undefined) {
    super({ ...options, maxCachedSessions: 0 });
    this.#createIdentityCheck = createIdentityCheck;
  }

  override createConnection(
    options: AgentOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    const check = this.#createIdentityCheck?.();
    return super.createConnection(check === undefined ? options : { ...options, checkServerIdentity: check }, callback);
  }
}
