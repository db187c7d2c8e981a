import type { IncomingMessage, Server } from 'node:http';
import { isIPv4, type Socket } from 'node:net';

/** Most clients at once; with one more, the one that has been there longest has to go. */
const MAX_CONNECTIONS = 64;
/** Nobody on loopback needs longer to send a GET, or to take its answer. */
const REQUEST_TIMEOUT_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADERS = 64;

/** For createServer(): what keeps slow clients and large headers from costing anything. */
export const serverLimits = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: REQUEST_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
} as const;

/** Bounds the connections of a server: many that are held open keep no newer one out. */
export function limitConnections(server: Server): void {
  server.maxHeadersCount = MAX_HEADERS;
  // Also a client that does not read its answer is silent.
  server.setTimeout(2 * REQUEST_TIMEOUT_MS);
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    if (open.size >= MAX_CONNECTIONS) {
      const [oldest] = open;
      oldest!.destroy();
      open.delete(oldest!);
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
}

/** Whether only this machine can reach a server at an address. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
  );
}

/**
 * Whether a request's Host is one of this machine's own names: a page elsewhere can make a browser resolve its own name
 * to 127.0.0.1 and would read the answers (DNS rebinding), but the browser still sends that name.
 */
export function isAskedByOwnName({ headers: { host } }: IncomingMessage): boolean {
  return host === undefined || isLoopback(host.replace(/:\d*$/, ''));
}

/** Whether a request announces a body, which a GET has no use for. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
