import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import type { Clock } from '@thugshells/shared/clock.ts';

import type { ConnectionEnd } from '../queue/restart-signs.ts';

/** A connection at the beginning of a request. */
export interface UsedConnection {
  readonly connection: number;
  /** For how long it had been idle; undefined for a new one. */
  readonly idleBeforeMs: number | undefined;
}

interface WatchedConnection {
  readonly connection: number;
  /** Its last request, and the response once that has begun. */
  request: ClientRequest;
  response: IncomingMessage | undefined;
  requests: number;
  idleBeforeMs: number | undefined;
  idleSinceMs: number | undefined;
}

/** Node.js closes a connection a second before the timeout that a response announces; its timers are coarse. */
const TIMEOUT_SLACK_MS = 1_100;

const AT_ONCE_MS = 200;
/** So many connections in a row that end at once are a path's habit; one may be a receiver that crashes. */
const CLOSED_AT_ONCE = 2;
/** After so many requests with a close one more connection is kept, in case that the path has changed. */
const CLOSINGS = 100;

/** Numbers the connections to the receiver, and reports how each of them ends. */
export class ConnectionWatch {
  readonly #clock: Clock;
  readonly #connections = new WeakMap<Socket, WatchedConnection>();
  readonly #listeners: ((end: ConnectionEnd) => void)[] = [];
  #last = 0;
  #isClosed = false;
  /** Connections in a row that ended right after their first response. */
  #closedAtOnce = 0;
  #closings = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `listener` with the end of each watched connection. */
  onEnd(listener: (end: ConnectionEnd) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Returns whether the next request is to ask for a close: this path ends each connection right after its first response
   * without announcing it, as tinyproxy does, and a request that crossed the end would be sent twice.
   */
  takeClosing(): boolean {
    if (this.#closedAtOnce < CLOSED_AT_ONCE) return false;
    this.#closings += 1;
    if (this.#closings % CLOSINGS === 0) this.#closedAtOnce = CLOSED_AT_ONCE - 1;
    return true;
  }

  /** From now on this side closes connections. */
  close(): void {
    this.#isClosed = true;
  }

  /** Observes a request on the connection that was chosen for it. */
  observe(request: ClientRequest, socket: Socket): UsedConnection {
    const watched = this.#connections.get(socket) ?? this.#add(request, socket);
    const { connection, idleSinceMs } = watched;
    const idleBeforeMs = idleSinceMs === undefined ? undefined : this.#clock.monotonic() - idleSinceMs;
    Object.assign(watched, { request, response: undefined, idleBeforeMs, idleSinceMs: undefined });
    watched.requests += 1;
    request.once('response', (response) => {
      watched.response = response;
      if (watched.requests > 1) this.#closedAtOnce = 0;
      response.once('end', () => (watched.idleSinceMs = this.#clock.monotonic()));
    });
    return { connection, idleBeforeMs };
  }

  #add(request: ClientRequest, socket: Socket): WatchedConnection {
    const connection = (this.#last += 1);
    const watched = {
      connection,
      request,
      response: undefined,
      requests: 0,
      idleBeforeMs: undefined,
      idleSinceMs: undefined,
    };
    this.#connections.set(socket, watched);
    socket.once('close', () => {
      const end = this.#describeEnd(watched);
      if (!end.isAnnounced && isAtOnce(watched, end)) this.#closedAtOnce += 1;
      for (const listener of this.#listeners) listener(end);
    });
    return watched;
  }

  #describeEnd({ connection, request, response, idleSinceMs }: WatchedConnection): ConnectionEnd {
    const nowMs = this.#clock.monotonic();
    const idleMs = response?.complete === true ? nowMs - (idleSinceMs ?? nowMs) : undefined;
    const isExpected = (): boolean => this.#isClosed || isEndExpected(request, response!, idleMs!);
    return {
      kind: 'connection ended',
      connection,
      isAnnounced: idleMs !== undefined && isExpected(),
      idleMs,
    };
  }
}

/** Whether a connection ended right after its first response, also if the next request was crossing the end. */
function isAtOnce({ requests, response, idleBeforeMs }: WatchedConnection, { idleMs }: ConnectionEnd): boolean {
  if (requests === 1) return idleMs !== undefined && idleMs < AT_ONCE_MS;
  return requests === 2 && response === undefined && idleBeforeMs !== undefined && idleBeforeMs < AT_ONCE_MS;
}

/** Whether an idle connection was to end, or was closed by Node.js, which keeps it only if request and response allow it. */
function isEndExpected(request: ClientRequest, response: IncomingMessage, idleMs: number): boolean {
  const timeoutMs = readAnnouncedTimeout(response);
  const isTimeout = timeoutMs !== undefined && idleMs >= timeoutMs - TIMEOUT_SLACK_MS;
  return !request.shouldKeepAlive || isTimeout || isCloseAnnounced(response);
}

/** Whether the connection ends after this response: `close` among its options, or HTTP/1.0 without keep-alive (RFC 9112, 9.3). */
export function isCloseAnnounced({ headers, httpVersion }: Pick<IncomingMessage, 'headers' | 'httpVersion'>): boolean {
  const options = (headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((option) => option.trim());
  return options.includes('close') || (httpVersion === '1.0' && !options.includes('keep-alive'));
}

/** Reads the idle timeout that a response announces (RFC 2068, 19.7.1.1), in milliseconds. */
function readAnnouncedTimeout({ headers }: IncomingMessage): number | undefined {
  const seconds = /(?:^|[\s,;])timeout\s*=\s*(\d+)/i.exec(headers['keep-alive']?.toString() ?? '')?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
