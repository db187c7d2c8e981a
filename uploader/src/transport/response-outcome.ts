import { toExcerpt } from '@thugshells/shared/printable.ts';

import { PAGE, recognizeRedirect, recognizeResponse, withoutPeer, withRemedy } from './recognized-responses.ts';
import type { SendOutcome, RejectedIndex } from './transport.ts';

/** The parts of a receiver's response that decide its outcome. */
export interface ReceiverResponse {
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string | undefined;
  /** The receiver's own Date header. */
  readonly date?: string | undefined;
  readonly location?: string | undefined;
  /** What was requested, against which a redirect is read. */
  readonly requestUrl?: string;
  readonly contentType?: string | undefined;
  /** The number of samples written, from the header that receivers of remote write 2.0 send. */
  readonly samplesWritten?: string | undefined;
  readonly server?: string | undefined;
  /** Whether it lacks the X-Server-Hostname that came with what was delivered last. */
  readonly lacksServerHeader?: boolean;
  /** Whether the receiver has responded with 204 before, to samples that it accepted. */
  readonly hasNoContentBefore?: boolean;
}

type StatusOutcome = 'rejected' | 'retry' | 'hold';

/** The outcomes of statuses other than 2xx. A 4xx that is not listed is held: holding loses nothing. */
const verdicts: Readonly<Record<number, StatusOutcome>> = {
  400: 'rejected', // the body could not be read to its end
  409: 'rejected', // Thanos: a sample conflicts with what it has
  413: 'rejected', // too large for the receiver or a proxy; halves may fit
  422: 'rejected', // read, and rejected
  401: 'hold', // no credentials, or wrong ones
  403: 'hold', // credentials without permission
  404: 'hold', // not the import path
  405: 'hold', // does not accept POST
  408: 'retry', // the receiver did not get the body in time
  425: 'retry', // too early
  429: 'retry', // a proxy's limit
};

const NO_CONTENT = 204;
/** An empty response with another 2xx is none of a receiver: 203 is a proxy's own word, 205 and 206 answer no POST. */
const EMPTY_SUCCESSES: readonly number[] = [200, 201, 202, NO_CONTENT];
const HTML = /^\s*(text\/html|application\/xhtml\+xml)\b/i;
const JSON_TYPE = /^\s*application\/json\b/i;

/** Lengths of a receiver's texts in a reason. */
const MAX_EXCERPT_LENGTH = 120;
const MAX_LOCATION_LENGTH = 200;

/** Maximum wait that a Retry-After can request. */
const MAX_RETRY_AFTER_MS = 15 * 60_000;

/** Returns what a response means for a chunk of `sent` samples. */
export function toOutcome(response: ReceiverResponse, sent: number): SendOutcome {
  const { status } = response;
  if (status >= 200 && status <= 299) return judgeSuccess(response, sent);
  if (status >= 300 && status <= 399) return judgeRedirect(response);
  const recognized = recognizeResponse(status, response.body);
  const words = response.body.trim() === '' ? '' : `: ${excerpt(withoutPeer(response.body))}`;
  const reason = withRemedy(`HTTP ${status}${words}`, recognized);
  const verdict = verdicts[status] ?? (status >= 500 ? 'retry' : 'hold');
  // Whatever its status, what is not about the samples rejects none.
  if (verdict === 'rejected') return { kind: recognized === undefined ? verdict : 'hold', reason };
  if (verdict === 'hold') return { kind: verdict, reason };
  const retryAfterMs = parseRetryAfter(response.retryAfter, response.date);
  return { kind: 'retry', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/**
 * Parses a Retry-After to milliseconds; undefined if it is absent or invalid. It is a number of seconds or a date, which is
 * compared with the response's own Date: this device's clock may be wrong. RFC 9110, section 10.2.3.
 */
export function parseRetryAfter(value: string | undefined, date: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const waitMs = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(date ?? '');
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS) : undefined;
}

function judgeRedirect({ status, location, requestUrl }: ReceiverResponse): SendOutcome {
  const target = toExcerpt(location ?? 'nowhere', MAX_LOCATION_LENGTH);
  const reason = `HTTP ${status} redirects to ${target}, which is not followed`;
  return { kind: 'hold', reason: withRemedy(reason, recognizeRedirect(location, requestUrl)) };
}

/**
 * Returns what a 2xx means. VictoriaMetrics and Prometheus send 204, other receivers 200 without a body or a JSON object
 * that reports success in a way that is known. Anything else comes from a portal, a proxy or a gateway.
 */
function judgeSuccess(response: ReceiverResponse, sent: number): SendOutcome {
  const { status, body, contentType = '', lacksServerHeader = false } = response;
  if (lacksServerHeader && status !== NO_CONTENT)
    return toForeignOutcome(status, `without the X-Server-Hostname of the receiver: ${body}`);
  if (body.trim() === '') {
    if (!EMPTY_SUCCESSES.includes(status)) return toForeignOutcome(status, 'an empty body');
    return isEmptyPage(response)
      ? toForeignOutcome(status, `an empty page of type ${excerpt(contentType)}`)
      : { kind: 'delivered' };
  }
  const answer = parseObject(body);
  if (answer === undefined) return toForeignOutcome(status, body);
  if ('accepted' in answer) return judgeCounts(answer, sent);
  return reportsSuccess(answer) && !reportsFailure(answer) ? { kind: 'delivered' } : toForeignOutcome(status, body);
}

/** Whether an empty success is a file or a page that a proxy has put in the place of the receiver's response. */
function isEmptyPage({ status, contentType, hasNoContentBefore = false }: ReceiverResponse): boolean {
  if (status === NO_CONTENT || contentType === undefined || JSON_TYPE.test(contentType)) return false;
  return HTML.test(contentType) || !hasNoContentBefore;
}

function judgeCounts(answer: Record<string, unknown>, sent: number): SendOutcome {
  const { accepted } = answer;
  const rejected = parseRejected(answer['rejected'], sent);
  if (!Number.isInteger(accepted) || rejected === undefined) return { kind: 'retry', reason: 'unreadable response' };
  const count = accepted as number;
  if (count < 0 || count + rejected.length > sent) {
    return { kind: 'retry', reason: `response counts ${count} accepted and ${rejected.length} rejected of ${sent}` };
  }
  if (rejected.length > 0 && count + rejected.length < sent) {
    return { kind: 'retry', reason: `response leaves ${sent - count - rejected.length} samples unaccounted for` };
  }
  if (count === sent) return { kind: 'delivered' };
  if (count === 0 && rejected.length === 0) return { kind: 'retry', reason: 'the receiver accepted nothing' };
  return { kind: 'partial', accepted: count, rejected };
}

/** Parses the rejected samples of a response; undefined if the list is invalid. */
function parseRejected(value: unknown, sent: number): RejectedIndex[] | undefined {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return undefined;
  const list = value.map((item: { index?: unknown; reason?: unknown } | null) => ({
    index: item?.index as number,
    reason: excerpt(typeof item?.reason === 'string' ? item.reason : 'no reason given'),
  }));
  const indices = new Set(list.map(({ index }) => index));
  const sound = list.every(({ index }) => Number.isInteger(index) && index >= 0 && index < sent);
  return sound && indices.size === list.length ? list : undefined;
}

/** Keys of a portal: RFC 8908, and those that lead to a login. */
const OF_PORTAL = /captive|portal|login|redirect/i;

/** RFC 8908's portal API, API gateways and login pages respond with 200 and objects of their own. */
function reportsSuccess(answer: Record<string, unknown>): boolean {
  const { status, success, ok } = answer;
  const isKnown = typeof status === 'string' && /^(ok|success)$/i.test(status);
  return Object.keys(answer).length === 0 || isKnown || success === true || ok === true;
}

function reportsFailure(answer: Record<string, unknown>): boolean {
  const { error, errors, status, success, ok } = answer;
  const some = (value: unknown): boolean => value !== undefined && value !== null && value !== '' && value !== false;
  return (
    Object.keys(answer).some((key) => OF_PORTAL.test(key)) ||
    some(error) ||
    (Array.isArray(errors) ? errors.length > 0 : some(errors)) ||
    (typeof status === 'string' && /^(error|fail)/i.test(status)) ||
    success === false ||
    ok === false
  );
}

function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    // A captive portal's page, or JSON cut short.
    return undefined;
  }
}

function toForeignOutcome(status: number, body: string): SendOutcome {
  return {
    kind: 'retry',
    reason: withRemedy(`HTTP ${status} from something that is no receiver: ${excerpt(body)}`, PAGE),
  };
}

/** Returns the start of a body on one line, enough to recognize it. */
function excerpt(body: string): string {
  return toExcerpt(body, MAX_EXCERPT_LENGTH);
}
