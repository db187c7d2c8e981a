/** What is remembered of one request. */
export interface LoggedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Number of the TCP connection, from 1: equal for requests that shared one. */
  readonly connection: number;
  /** When it came in, Unix milliseconds by the receiver's clock. */
  readonly atMs: number;
  /** Bytes of its body on the wire. */
  bytes: number;
  /** Samples in its body, and how many of those were stored. */
  samples: number;
  stored: number;
  /** Times of its oldest and newest sample, Unix milliseconds; null without samples. */
  oldestMs: number | null;
  newestMs: number | null;
  /** The status that was sent, or null where there was no answer (yet). */
  status: number | null;
}

/** Requests that are remembered; older ones are forgotten, so that a soak does not fill the memory. */
const MAX_REQUESTS = 10_000;

/** The last requests, oldest first. */
export class RequestLog {
  readonly #requests: LoggedRequest[] = [];

  /** Remembers a request; what is not known yet is filled in later through the object that comes back. */
  add(known: Pick<LoggedRequest, 'method' | 'path' | 'headers' | 'connection' | 'atMs'>): LoggedRequest {
    const request = { ...known, bytes: 0, samples: 0, stored: 0, oldestMs: null, newestMs: null, status: null };
    this.#requests.push(request);
    if (this.#requests.length > MAX_REQUESTS) this.#requests.shift();
    return request;
  }

  /** All that are remembered. */
  get requests(): readonly LoggedRequest[] {
    return this.#requests;
  }
}
