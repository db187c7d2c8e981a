import { gunzipSync } from 'node:zlib';

import { maskCredentials } from '@thugshells/shared/config/load-config.ts';
import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';
import {
  isListOf,
  isObject,
  isObjectOf,
  isOptional,
  isText,
  parseJson,
} from '@thugshells/shared/state/stored-values.ts';

import { toFailureReason } from './failure-reasons.ts';
import { HttpClient, type HttpClientOptions, type HttpResponse } from './http-client.ts';
import { findQueryUrl } from './query-address.ts';
import { FLAG_PAGES, parseFlags, type ReceiverFlags } from './receiver-flags.ts';

export interface QueryClientOptions extends Omit<HttpClientOptions, 'remoteTimeoutMs'> {
  /** THUGSHELLS_QUERY_URL; empty for what is derived from `remoteUrl`. */
  readonly queryUrl: string;
  /** Milliseconds; 60,000 by default. */
  readonly queryTimeoutMs?: number;
}

/** A series in the result of a query. */
export interface QueryResult {
  /** As the receiver names it, `__name__` included if the query keeps it. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of an instant vector. */
  readonly value: number;
  /** Unix milliseconds of its samples, ascending; of a range vector. */
  readonly timestamps: readonly number[];
}

/** What the pages of FLAG_PAGES came to. */
export interface FlagsAnswer {
  /** Undefined if what answered has none to show, as Prometheus and many proxies, or if nothing did. */
  readonly flags: ReceiverFlags | undefined;
  /** False if there was no response, or the error of a proxy: what was known before may still be so. */
  readonly isAnswered: boolean;
}

/** A query may read days of samples on a busy receiver. Their own timeouts are 30 s (VictoriaMetrics) and 2 min (Prometheus). */
const QUERY_TIMEOUT_MS = 60_000;
/** Before and after it is decompressed; some 150 bytes a series, 30 bytes a sample. */
const MAX_RESPONSE_BYTES = 8 * 1024 ** 2;
const MAX_TEXT_BYTES = 64 * 1024 ** 2;
const MAX_EXCERPT_LENGTH = 200;
/** Of a request and its response, by VictoriaMetrics. */
const HEADER_BYTES = 600;
const HTTP_UNAUTHORIZED: readonly number[] = [401, 403];
/** Of a query that a receiver has understood the request of, and not the query. */
const HTTP_BAD_QUERY: readonly number[] = [400, 422];

const CHECK_ADDRESS = 'check THUGSHELLS_QUERY_URL';
const isLabels = (value: unknown): value is Readonly<Record<string, string>> =>
  isObject(value) && Object.values(value).every(isText);
const isAny = (_: unknown): _ is unknown => true;
interface ResultRow {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly unknown[] | undefined;
  readonly values?: readonly (readonly unknown[])[] | undefined;
}
const isSample = isListOf(isAny);
const isResultRow = isObjectOf<ResultRow>({
  metric: isLabels,
  value: isOptional(isSample),
  values: isOptional(isListOf(isSample)),
});

/**
 * Reads the receiver by its query API (Prometheus' HTTP API, which VictoriaMetrics shares), over connections of its own: an
 * upload never waits for one.
 */
export class QueryClient {
  readonly #url: URL;
  readonly #client: HttpClient;
  readonly #proxyFor: (url: string) => string;
  readonly #timeoutMs: number;
  #bytes = 0;

  /** @throws AgentError RECEIVER_UNREADABLE if it is not known where the receiver is read */
  constructor(options: QueryClientOptions) {
    const url = findQueryUrl(options);
    if (url === undefined)
      throw unreadable(
        `cannot derive the address of the query API: THUGSHELLS_REMOTE_URL=${maskCredentials(options.remoteUrl)} has none of the known write paths`,
        'set THUGSHELLS_QUERY_URL, such as http://HOST:8428/api/v1',
      );
    this.#url = url;
    this.#proxyFor = options.proxyFor;
    this.#timeoutMs = options.queryTimeoutMs ?? QUERY_TIMEOUT_MS;
    this.#client = new HttpClient({ ...options, remoteUrl: url.href, remoteTimeoutMs: this.#timeoutMs });
  }

  /** The address without credentials, for messages. */
  get address(): string {
    return maskCredentials(this.#url.href);
  }

  /** Bytes of bodies and of headers, roughly, that queries have sent and received so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Evaluates an expression at a time, Unix milliseconds.
   *
   * @throws AgentError RECEIVER_UNREADABLE; QUERY_REFUSED if the receiver does not know the expression; ANSWER_TOO_LONG
   */
  async query(expression: string, timeMs: number, signal: AbortSignal): Promise<QueryResult[]> {
    // nocache: VictoriaMetrics otherwise moves the time of a query that ends within the last 30 s.
    const form = new URLSearchParams({
      query: expression,
      time: (timeMs / 1000).toFixed(3),
      nocache: '1',
      deny_partial_response: '1',
    });
    return this.#parse(await this.#request('query', form, signal));
  }

  /** Reads the flags of the process that answers; undefined if it has none to show, as Prometheus and many proxies. */
  async readFlags(signal: AbortSignal): Promise<ReceiverFlags | undefined> {
    return (await this.findFlags(signal)).flags;
  }

  /** Does the same, and returns whether anything answered that may have no flags to show. */
  async findFlags(signal: AbortSignal): Promise<FlagsAnswer> {
    let isAnswered = false;
    for (const page of FLAG_PAGES) {
      const text = await this.#readPage(page, signal);
      const flags = text === undefined ? undefined : parseFlags(text);
      if (flags !== undefined) return { flags, isAnswered: true };
      isAnswered ||= text !== undefined;
    }
    return { flags: undefined, isAnswered };
  }

  /** Closes idle connections. */
  close(): void {
    this.#client.close();
  }

  /** Reads a page beside the query API; empty if there is none, undefined if the receiver does not respond. */
  async #readPage(name: string, signal: AbortSignal): Promise<string | undefined> {
    const url = new URL(this.#url);
    url.pathname = url.pathname.replace(/api\/v1$/, name);
    try {
      const { statusCode, headers, body } = await this.#client.getPage(url.href, signal);
      if (statusCode >= 500) return undefined;
      return statusCode === 200 ? decode(body, headers['content-encoding']) : '';
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  async #request(name: string, form: URLSearchParams, signal: AbortSignal): Promise<HttpResponse> {
    const url = new URL(this.#url);
    url.pathname = `${url.pathname}/${name}`;
    try {
      const limits = { maxBytes: MAX_RESPONSE_BYTES, timeoutMs: this.#timeoutMs, signal };
      this.#bytes += HEADER_BYTES + form.toString().length;
      const response = await this.#client.postForm(url.href, form, limits);
      this.#bytes += response.body.length;
      return response;
    } catch (error) {
      signal.throwIfAborted();
      if (toErrorCode(error) === 'ANSWER_TOO_LONG') throw error;
      const isProxied = this.#proxyFor(url.href) !== '';
      throw unreadable(`cannot read ${this.address}: ${this.#client.mask(toFailureReason(error, isProxied))}`);
    }
  }

  #parse({ statusCode: status, headers, body }: HttpResponse): QueryResult[] {
    const text = decode(body, headers['content-encoding']);
    const answer = parseAnswer(text);
    const excerpt = toExcerpt(this.#client.mask(describeError(answer) ?? text), MAX_EXCERPT_LENGTH);
    const failed = (what: string, hint?: string): AgentError =>
      unreadable(`cannot read ${this.address}: HTTP ${status}${what}: ${excerpt}`, hint);
    if (HTTP_UNAUTHORIZED.includes(status))
      throw failed(', the receiver refuses reads', 'allow this token to read, or set THUGSHELLS_QUERY_URL');
    if (HTTP_BAD_QUERY.includes(status) && describeError(answer) !== undefined)
      throw new AgentError(failed('').message, { code: 'QUERY_REFUSED', hint: CHECK_ADDRESS });
    if (status !== 200) throw failed('');
    const rows = isObject(answer?.['data']) ? answer['data']['result'] : undefined;
    if (answer?.['status'] !== 'success' || !isListOf(isResultRow)(rows))
      throw failed(' from something that is no query API');
    if (isPartial(answer)) throw failed(', the answer is partial', 'wait until all storage nodes of the receiver run');
    return rows.map(toResult);
  }
}

function unreadable(message: string, hint = CHECK_ADDRESS): AgentError {
  return new AgentError(message, { code: 'RECEIVER_UNREADABLE', hint });
}

function decode(body: Buffer, encoding: string | undefined): string {
  if (encoding?.trim().toLowerCase() !== 'gzip') return body.toString('utf8');
  try {
    return gunzipSync(body, { maxOutputLength: MAX_TEXT_BYTES }).toString('utf8');
  } catch (error) {
    if (toErrorCode(error) !== 'ERR_BUFFER_TOO_LARGE')
      throw unreadable('cannot read the receiver: its gzip is cut short');
    throw new AgentError(`the response is longer than ${MAX_TEXT_BYTES} bytes`, { code: 'ANSWER_TOO_LONG' });
  }
}

/** Parses an answer; undefined for a page of somebody else. */
function parseAnswer(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const answer = parseJson(text);
    return isObject(answer) ? answer : undefined;
  } catch {
    return undefined;
  }
}

function describeError(answer: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const error = answer?.['error'];
  return isText(error) ? error : undefined;
}

/** Whether a part of the samples was not looked at: a node of a cluster was away, or (Thanos) a store. */
function isPartial(answer: Readonly<Record<string, unknown>>): boolean {
  const { isPartial: partial, warnings } = answer;
  return partial === true || (Array.isArray(warnings) && warnings.length > 0);
}

function toResult({ metric: labels, value, values = [] }: ResultRow): QueryResult {
  return {
    labels,
    value: Number(value?.[1] ?? NaN),
    timestamps: values.map(([seconds]) => Math.round(Number(seconds) * 1000)),
  };
}
