import { get, type IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { createGunzip, createInflate, type Gunzip, type Inflate } from 'node:zlib';

import { createLinkedController } from '@thugshells/shared/abort.ts';
import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { findUrlSecrets, maskSecrets } from '@thugshells/shared/config/secret-mask.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

import { readTargetCredentials, type TargetCredentials } from './target-credentials.ts';

/** The response of a target, whose body arrives while it is read. */
export interface ScrapeResponse {
  /** Decompressed; it ends by an error if it is too large, too slow, or not complete. */
  readonly body: AsyncIterable<Buffer>;
  /** Lower case, with its parameters; empty if the header is missing. */
  readonly contentType: string;
}

/** Limits of one request. */
export interface ScrapeLimits {
  /** From connecting to the end of the body. */
  readonly timeoutMs: number;
  /** Of the body after decompression. */
  readonly maxBytes: number;
}

/** As Prometheus 3 asks by default, so that an exporter answers the same; tests/integration/scrape-requests.test.ts compares. */
const ACCEPT = [
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7',
  'application/openmetrics-text;version=0.0.1;q=0.6',
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5',
  'text/plain;version=0.0.4;q=0.4',
  '*/*;q=0.3',
].join(',');

/** Resolves `localhost` to this machine without a resolver (RFC 6761, 6.3). */
const loopbackLookup: LookupFunction = (_host, options, callback) => {
  const addresses = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  if (options.all === true) callback(null, addresses);
  else callback(null, '127.0.0.1', 4);
};

const MAX_CAUSE_LENGTH = 200;
const HINT = 'check that the exporter runs; run: curl -i with its address';

/**
 * Sends GET requests to scrape targets, and is the collector's only client of a network. It follows no redirect and keeps no
 * connection.
 */
export class ScrapeClient {
  readonly #closing = new AbortController();

  /**
   * Requests a page, and returns what `read` makes of it.
   *
   * @throws AgentError SCRAPE_FAILED with the cause, or what `read` throws
   */
  async fetch<T>(
    target: ScrapeTarget,
    { timeoutMs, maxBytes }: ScrapeLimits,
    read: (response: ScrapeResponse) => Promise<T>,
  ): Promise<T> {
    const { controller, release } = createLinkedController(this.#closing.signal);
    let hasTimedOut = false;
    const deadline = setTimeout(() => {
      hasTimedOut = true;
      controller.abort();
    }, timeoutMs);
    let secrets = findUrlSecrets(target.url);
    try {
      const credentials = await readTargetCredentials(target);
      secrets = [...secrets, ...credentials.secrets];
      const response = await sendRequest(target, credentials, { signal: controller.signal, timeoutMs });
      try {
        return await read(await openResponse(response, maxBytes));
      } finally {
        response.destroy();
      }
    } catch (error) {
      if (error instanceof AgentError) throw withoutSecrets(error, secrets);
      throw hasTimedOut ? createTimeoutError(timeoutMs, error) : createConnectionError(error);
    } finally {
      clearTimeout(deadline);
      release();
    }
  }

  /** Aborts the pending requests. */
  close(): void {
    this.#closing.abort();
  }
}

/** Returns an error about a response without the secrets of the request: the target may repeat them. */
function withoutSecrets(error: AgentError, secrets: readonly string[]): AgentError {
  const { message, code, hint = HINT } = error;
  const masked = maskSecrets(message, secrets);
  return masked === message ? error : new AgentError(masked, { code, hint });
}

function createTimeoutError(timeoutMs: number, error: unknown): AgentError {
  return createScrapeError(
    `no complete response within ${timeoutMs / 1000} s`,
    'check why the exporter is slow, or increase THUGSHELLS_SCRAPE_TIMEOUT or its scrape_timeout',
    error,
  );
}

function createConnectionError(error: unknown): AgentError {
  const isRefused = toErrorCode(error) === 'ECONNREFUSED';
  const cause = isRefused ? 'connection refused' : toErrorMessage(error) || String(toErrorCode(error));
  return createScrapeError(cause, HINT, error);
}

function createScrapeError(cause: string, hint: string = HINT, error?: unknown): AgentError {
  // It may have a header of the target in it.
  return new AgentError(toExcerpt(cause, MAX_CAUSE_LENGTH), { code: 'SCRAPE_FAILED', hint, cause: error });
}

async function sendRequest(
  { url, isCompressed = true }: ScrapeTarget,
  { authorization, tls }: TargetCredentials,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<IncomingMessage> {
  const { protocol, hostname } = new URL(url);
  const headers = {
    accept: ACCEPT,
    'accept-encoding': isCompressed ? 'gzip' : 'identity',
    connection: 'close',
    'user-agent': 'thugshells-collector',
    'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
    ...(authorization === undefined ? {} : { authorization }),
  };
  // Loaded for a target that needs it: it would cost every start.
  const secure = protocol === 'https:' ? await import('node:https') : undefined;
  const lookup = hostname === 'localhost' ? { lookup: loopbackLookup } : {};
  const options = { agent: false, headers, signal, ...lookup } as const;
  return new Promise((resolve, reject) => {
    const request =
      secure === undefined ? get(url, options, resolve) : secure.get(url, { ...options, ...tls }, resolve);
    request.on('error', reject);
  });
}

/** Opens a response with status 200 and a text format. */
async function openResponse(response: IncomingMessage, maxBytes: number): Promise<ScrapeResponse> {
  const contentType = response.headers['content-type'] ?? '';
  const whole = limitBytes(decodeBody(response), maxBytes);
  const body = /html/i.test(contentType) ? await requireText(whole, contentType) : whole;
  return { body, contentType: contentType.toLowerCase() };
}

/** Returns the decompressed body of a response with status 200 and a text format. */
function decodeBody(response: IncomingMessage): Readable {
  const { statusCode = 0, headers } = response;
  try {
    if (statusCode >= 300 && statusCode < 400) {
      throw createScrapeError(
        `redirected to ${maskCredentials(headers.location ?? 'nowhere')}, redirects are not followed`,
        'use the address that it redirects to',
      );
    }
    if (statusCode !== 200) throw createScrapeError(`status ${statusCode}`);
    const contentType = headers['content-type'] ?? '';
    if (/protobuf/i.test(contentType)) throw createContentTypeError(contentType);
    switch (headers['content-encoding'] ?? 'identity') {
      case 'identity':
        return response;
      case 'gzip':
        return decompress(response, createGunzip());
      case 'deflate':
        return decompress(response, createInflate());
      default:
        throw createScrapeError(`unexpected content encoding ${headers['content-encoding']}`);
    }
  } catch (error) {
    response.destroy();
    throw error;
  }
}

function createContentTypeError(contentType: string): AgentError {
  return createScrapeError(
    `content type ${contentType} is not a text format`,
    'check the path of the target: most exporters use /metrics',
  );
}

/** The byte order mark of UTF-8, as Latin-1 has its bytes. */
const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;

/**
 * Returns a body whose type is HTML, if it is not HTML: small web servers on devices send metrics with that type, and
 * metrics never begin with `<`.
 *
 * @throws AgentError SCRAPE_FAILED if it is HTML or has nothing in it
 */
async function requireText(body: AsyncGenerator<Buffer>, contentType: string): Promise<AsyncGenerator<Buffer>> {
  const begun: Buffer[] = [];
  for (let first = ''; first === '';) {
    const part = await body.next();
    if (part.done === true) throw createContentTypeError(contentType);
    begun.push(part.value);
    first = part.value.toString('latin1').replace(BYTE_ORDER_MARK, '').trimStart().slice(0, 1);
    if (first === '<') throw createContentTypeError(contentType);
  }
  return continueBody(begun, body);
}

async function* continueBody(begun: readonly Buffer[], rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield* begun;
  yield* rest;
}

/** pipe() does not forward errors of its source. */
function decompress(response: IncomingMessage, decoder: Gunzip | Inflate): Readable {
  response.on('error', (error) => decoder.destroy(error));
  return response.pipe(decoder);
}

/** Passes on the parts of a body, and ends by an error when they are more than `maxBytes`. */
async function* limitBytes(body: Readable, maxBytes: number): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxBytes)
      throw createScrapeError(
        `more than ${maxBytes} bytes`,
        'expose fewer samples, or increase THUGSHELLS_SCRAPE_MAX_SIZE',
      );
    yield part;
  }
}
