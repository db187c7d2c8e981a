import type { SendOutcome, RejectedIndex } from './transport.ts';

/** What a receiver answered. */
export interface ReceiverResponse {
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string | undefined;
  /** The receiver's own Date header. */
  readonly date?: string | undefined;
  readonly location?: string | undefined;
  /** How many samples a receiver of remote write 2.0 says that it has written. */
  readonly samplesWritten?: string | undefined;
}

type StatusOutcome = 'rejected' | 'retry' | 'hold';

/** What a status other than 2xx means for the chunk, and why. Anything not listed is held: holding loses nothing. */
const verdicts: Readonly<Record<number, StatusOutcome>> = {
  400: 'rejected', // the body could not be read to its end
  409: 'rejected', // Thanos: a sample conflicts with what it has
  413: 'rejected', // too large for the receiver or a proxy; halves may fit
  422: 'rejected', // read, and refused
  401: 'hold', // no credentials, or wrong ones
  403: 'hold', // credentials without the right
  404: 'hold', // not the import path
  405: 'hold', // not something that takes a POST
  408: 'retry', // the receiver gave up waiting for the body
  425: 'retry', // too early
  429: 'retry', // a proxy's limit
};

/** Longest wait that a Retry-After can ask for. */
const MAX_RETRY_AFTER_MS = 15 * 60_000;

/** What an answer means for a chunk of `sent` samples. */
export function toOutcome(answer: ReceiverResponse, sent: number): SendOutcome {
  const { status } = answer;
  if (status >= 200 && status <= 299) return outcomeOfSuccess(answer, sent);
  const reason = `HTTP ${status}${answer.body === '' ? '' : `: ${excerpt(answer.body)}`}`;
  if (status >= 300 && status <= 399) {
    return {
      kind: 'hold',
      reason: `HTTP ${status} redirects to ${answer.location ?? 'nowhere'}, which is not followed`,
    };
  }
  const verdict = verdicts[status] ?? (status >= 500 ? 'retry' : 'hold');
  if (verdict !== 'retry') return { kind: verdict, reason };
  const retryAfterMs = parseRetryAfter(answer.retryAfter, answer.date);
  return { kind: 'retry', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/**
 * Retry-After as seconds or as a date, which is read against the answer's own Date: this board's clock may be wrong.
 * RFC 9110, section 10.2.3.
 */
export function parseRetryAfter(value: string | undefined, date: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const waitMs = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(date ?? '');
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS) : undefined;
}

/** VictoriaMetrics and Prometheus answer 204 with nothing; whatever else comes must say clearly what it took. */
function outcomeOfSuccess({ status, body }: ReceiverResponse, sent: number): SendOutcome {
  if (body.trim() === '') return { kind: 'delivered' };
  const answer = parseObject(body);
  if (answer === undefined) return notAReceiver(status, body);
  if ('accepted' in answer) return outcomeOfCount(answer, sent);
  return saysFailure(answer) ? notAReceiver(status, body) : { kind: 'delivered' };
}

function outcomeOfCount(answer: Record<string, unknown>, sent: number): SendOutcome {
  const { accepted } = answer;
  const rejected = parseRejected(answer['rejected'], sent);
  if (!Number.isInteger(accepted) || rejected === undefined) return { kind: 'retry', reason: 'unreadable answer' };
  const count = accepted as number;
  if (count < 0 || count + rejected.length > sent) {
    return { kind: 'retry', reason: `answer counts ${count} accepted and ${rejected.length} rejected of ${sent}` };
  }
  if (rejected.length > 0 && count + rejected.length < sent) {
    return { kind: 'retry', reason: `answer leaves ${sent - count - rejected.length} samples unaccounted for` };
  }
  if (count === sent) return { kind: 'delivered' };
  if (count === 0 && rejected.length === 0) return { kind: 'retry', reason: 'the receiver accepted nothing' };
  return { kind: 'partial', accepted: count, rejected };
}

/** The named rejections, or undefined where the list makes no sense. */
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

function saysFailure(answer: Record<string, unknown>): boolean {
  const { error, errors, status, success, ok } = answer;
  const some = (value: unknown): boolean => value !== undefined && value !== null && value !== '' && value !== false;
  return (
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
    // A captive portal's page, or JSON cut short: both are no answer.
    return undefined;
  }
}

function notAReceiver(status: number, body: string): SendOutcome {
  return { kind: 'retry', reason: `HTTP ${status} from something that is no receiver: ${excerpt(body)}` };
}

/** Enough of a body to recognise it, on one line. */
function excerpt(body: string): string {
  const line = body.replace(/\s+/g, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
