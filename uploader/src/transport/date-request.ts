import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';

import { doAgree, toBootTime, type BootTime, type DateAnswer } from '../clock/receiver-clock.ts';
import type { CertificateTime } from './certificate-time.ts';
import type { HttpResponse } from './http-client.ts';
import { isOfSomebodyElse, SERVER_HOSTNAME } from './response-origin.ts';
import type { SendResult, Transport } from './transport.ts';

export interface DateRequestOptions {
  readonly clock: Clock;
  readonly certificateTime: CertificateTime | undefined;
  /** Requests the headers of a URL. */
  readonly requestHead: (url: string, signal: AbortSignal) => Promise<Pick<HttpResponse, 'statusCode' | 'headers'>>;
}

/** OpenSSL's codes for the dates of a certificate. Another fault may hide behind one. */
const DATE_FAULTS: readonly (string | undefined)[] = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];

/** Requests the time of a server; what is authenticated judges certificates from then on. */
export async function requestDate(options: DateRequestOptions, url: string, signal: AbortSignal): Promise<DateAnswer> {
  const { certificateTime } = options;
  const request = (from = url): Promise<TimedAnswer> => requestOnce(options, from, signal);
  if (certificateTime?.isAuthenticated(url) !== true) return (await request()).answer;
  const withoutUser = toUrlWithoutUser(url);
  const { answer, time } = await request().catch((error: unknown) => {
    if (!DATE_FAULTS.includes(toErrorCode(error))) throw error;
    return certificateTime.try('none', () => request(withoutUser));
  });
  if (time === undefined || !certificateTime.isPossible(time)) return answer;
  if (new URL(url).protocol === 'https:' && !certificateTime.agreesWith(time)) {
    const again = await certificateTime.try(time, () => request(withoutUser));
    if (again.time === undefined || !doAgree(time, again.time))
      throw new AgentError('two responses of the server name two times', { code: 'TIME_UNCERTAIN' });
  }
  certificateTime.learn(time);
  return answer;
}

/**
 * Returns the time in the response to a request without samples.
 *
 * @throws AgentError when there was no response
 */
export function toDateAnswer(
  { outcome, status, errorCode = 'REQUEST_FAILED', date, age, endpoint }: SendResult,
  { format }: Pick<Transport, 'format'>,
): DateAnswer {
  if (status === undefined && 'reason' in outcome) throw new AgentError(outcome.reason, { code: errorCode });
  if (outcome.kind !== 'delivered') return { isReceivers: false };
  // A portal counts no samples.
  return { date, age, isReceivers: format === 'remote-write-2' || new URL(endpoint).protocol === 'https:' };
}

interface TimedAnswer {
  readonly answer: DateAnswer;
  readonly time: BootTime | undefined;
}

async function requestOnce(
  { clock, requestHead }: DateRequestOptions,
  url: string,
  signal: AbortSignal,
): Promise<TimedAnswer> {
  const sentAtMs = clock.sinceBoot();
  const { statusCode: status, headers } = await requestHead(url, signal);
  if (isOfSomebodyElse(status)) return { answer: { isReceivers: false }, time: undefined };
  const { date, age } = headers;
  const isReceivers = headers[SERVER_HOSTNAME] !== undefined || new URL(url).protocol === 'https:';
  const time = toBootTime({ date, age, sentAtMs, receivedAtMs: clock.sinceBoot() }, true);
  return { answer: { date, age, isReceivers }, time };
}

/** A password is for a server whose certificate is known to be valid. */
function toUrlWithoutUser(url: string): string {
  const parsed = new URL(url);
  Object.assign(parsed, { username: '', password: '' });
  return parsed.href;
}
