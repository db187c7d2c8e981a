import { connect } from 'node:net';

import { ADDRESS_TIMEOUT_MS } from './connection-pool.ts';
import { lookupHost } from './host-lookup.ts';

/** As long as an upload tries two addresses of a host, mostly one of IPv6 and one of IPv4. */
export const CONNECT_TIMEOUT_MS = 2 * ADDRESS_TIMEOUT_MS;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** Returns the host and the port that a URL names. */
export function toHostAndPort(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port, protocol } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORTS[protocol]! : Number(port),
  };
}

/** Returns whether the host of a URL can be connected to; nothing is sent. */
export function canConnect(url: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      ...toHostAndPort(url),
      lookup: lookupHost,
      autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
      signal,
    });
    const end = (isConnected: boolean): void => {
      socket.destroy();
      resolve(isConnected);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end(false));
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
