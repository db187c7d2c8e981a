import type { IncomingMessage, Server } from 'node:http';
import { isIPv4, type Socket } from 'node:net';

/** Maximum of connections that may linger; one more closes the oldest. */
const MAX_CONNECTIONS = 64;
/**
 * A connection is not closed for a newer one before this: the kernel hands over hundreds at once, and each is to get its
 * turn.
 */
const TURN_MS = 1_000;
/** Maximum of connections however new they are; one more is refused. */
const MAX_NEW_CONNECTIONS = 256;
/** No client on loopback needs longer to send a GET or to read the response. */
const REQUEST_TIMEOUT_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADERS = 64;
/** What a client has sent ahead is read up to about this; the rest stays in the kernel. */
const READ_AHEAD_BYTES = 4_096;

/** Options for createServer() that limit slow clients and large headers. */
export const serverLimits = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: REQUEST_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
  highWaterMark: READ_AHEAD_BYTES,
} as const;

/** Limits the connections of a server: clients that hold many open do not keep newer ones out. */
export function limitConnections(server: Server): void {
  server.maxHeadersCount = MAX_HEADERS;
  // A client that does not read its response times out too.
  server.setTimeout(2 * REQUEST_TIMEOUT_MS);
  server.maxConnections = MAX_NEW_CONNECTIONS;
  const openedAt = new Map<Socket, number>();
  server.on('connection', (socket: Socket) => {
    const now = performance.now();
    for (const [oldest, at] of openedAt) {
      if (openedAt.size < MAX_CONNECTIONS || now - at < TURN_MS) break;
      oldest.destroy();
      openedAt.delete(oldest);
    }
    openedAt.set(socket, now);
    socket.once('close', () => openedAt.delete(socket));
  });
}

/** Returns whether only this machine can reach a server at an address. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
  );
}

/**
 * Returns whether a request's Host is one of this machine's own names. A page of another site can make its own name
 * resolve to 127.0.0.1 and read the responses in a browser (DNS rebinding), but the browser sends that name as Host.
 */
export function hasLocalHostHeader({ headers: { host } }: IncomingMessage): boolean {
  return host === undefined || isLoopback(host.replace(/:\d*$/, ''));
}

/** Returns whether a request has a body, which no page here reads. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
