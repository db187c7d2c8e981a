import { get, type IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';

import { createLinkedController } from '@thugshells/shared/abort.ts';
import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

/** A page that a target answered with. */
export interface ScrapeResponse {
  readonly bytes: Buffer;
  /** Lower case, with its parameters; empty where none was sent. */
  readonly contentType: string;
}

/** What one request may cost. */
export interface ScrapeLimits {
  /** From the first packet to the last. */
  readonly timeoutMs: number;
  /** Of the page as it is read: what is compressed counts as it is unpacked. */
  readonly maxBytes: number;
}

/** Plain text first: in OpenMetrics some exporters give their counters other names. */
const ACCEPT = 'text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1';

/** By name they are always this machine's (RFC 6761, 6.3); no resolver is asked. */
const loopbackLookup: LookupFunction = (_host, options, callback) => {
  const addresses = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  if (options.all === true) callback(null, addresses);
  else callback(null, '127.0.0.1', 4);
};

const HINT = 'See whether the exporter runs, and what `curl -i` of the address in THUGSHELLS_SCRAPE_TARGETS shows.';

/**
 * The one door of scrape targets, and the only one that the collector has to a network: GET requests to addresses of
 * this machine. Redirects are not followed, and nothing is kept open.
 */
export class ScrapeClient {
  readonly #closing = new AbortController();

  /** @throws AgentError SCRAPE_FAILED that says what the target did */
  async fetch(url: string, { timeoutMs, maxBytes }: ScrapeLimits): Promise<ScrapeResponse> {
    const { controller, release } = createLinkedController(this.#closing.signal);
    let hasTimedOut = false;
    const deadline = setTimeout(() => {
      hasTimedOut = true;
      controller.abort();
    }, timeoutMs);
    try {
      const response = await sendRequest(url, controller.signal, timeoutMs);
      const bytes = await readAll(decodeBody(response), response, maxBytes);
      return { bytes, contentType: (response.headers['content-type'] ?? '').toLowerCase() };
    } catch (error) {
      if (error instanceof AgentError) throw error;
      if (hasTimedOut)
        throw createScrapeError(
          `no whole answer within ${timeoutMs / 1000} s`,
          'See what it does; THUGSHELLS_SCRAPE_TIMEOUT is how long it may take.',
          error,
        );
      throw createScrapeError(
        toErrorCode(error) === 'ECONNREFUSED'
          ? 'nothing listens there'
          : toErrorMessage(error) || String(toErrorCode(error)),
        HINT,
        error,
      );
    } finally {
      clearTimeout(deadline);
      release();
    }
  }

  /** Gives up on whatever has not answered. */
  close(): void {
    this.#closing.abort();
  }
}

function createScrapeError(what: string, hint: string = HINT, cause?: unknown): AgentError {
  return new AgentError(what, { code: 'SCRAPE_FAILED', hint, cause });
}

function sendRequest(url: string, signal: AbortSignal, timeoutMs: number): Promise<IncomingMessage> {
  const headers = {
    accept: ACCEPT,
    // On loopback bytes cost nothing, and packing them costs both sides.
    'accept-encoding': 'identity',
    connection: 'close',
    'user-agent': 'thugshells-collector',
    'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
  };
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers, signal, lookup: loopbackLookup }, resolve).on('error', reject);
  });
}

/** The body as the target meant it. */
function decodeBody(response: IncomingMessage): Readable {
  const { statusCode = 0, headers } = response;
  try {
    if (statusCode >= 300 && statusCode < 400) {
      throw createScrapeError(
        `it redirects to ${maskCredentials(headers.location ?? 'nowhere')}, which is not followed`,
        'Give THUGSHELLS_SCRAPE_TARGETS the address that it redirects to, if that is of this machine.',
      );
    }
    if (statusCode !== 200) throw createScrapeError(`status ${statusCode}`);
    if (/protobuf|html/i.test(headers['content-type'] ?? '')) {
      throw createScrapeError(
        `it answers ${headers['content-type']}, which is no text format of metrics`,
        'Most exporters have their metrics at /metrics.',
      );
    }
    switch (headers['content-encoding'] ?? 'identity') {
      case 'identity':
        return response;
      case 'gzip':
        return response.pipe(createGunzip());
      case 'deflate':
        return response.pipe(createInflate());
      default:
        throw createScrapeError(`content encoding ${headers['content-encoding']}, which was not asked for`);
    }
  } catch (error) {
    response.destroy();
    throw error;
  }
}

/** Everything up to the end, or nothing once it is too much. */
function readAll(body: Readable, response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const end = (error: Error): void => {
      response.destroy();
      body.destroy();
      reject(error);
    };
    // A pipe does not hand on how its source ended.
    response.on('error', end);
    body.on('error', end);
    body.on('data', (part: Buffer) => {
      length += part.length;
      parts.push(part);
      if (length > maxBytes)
        end(
          createScrapeError(
            `more than ${maxBytes} bytes`,
            'Let the exporter tell less, or raise THUGSHELLS_SCRAPE_MAX_SIZE.',
          ),
        );
    });
    body.on('end', () => resolve(Buffer.concat(parts, length)));
  });
}
