import { connect } from 'node:net';

import { lookupHost } from './host-lookup.ts';

/** As long as Node.js tries one address of several. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Returns whether the host of a URL can be connected to; nothing is sent. */
export function canConnect(url: string, signal: AbortSignal): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || (protocol === 'https:' ? 443 : 80)),
      lookup: lookupHost,
      autoSelectFamily: true,
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
