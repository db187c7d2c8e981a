import { maskCredentials } from '@thugshells/shared/config/load-config.ts';

import type { HttpResponse } from './http-client.ts';
import type { ReceiverHabits } from './receiver-habits.ts';
import type { ReceiverResponse } from './response-outcome.ts';

export type ResponseParts = Pick<HttpResponse, 'statusCode' | 'headers' | 'body'>;

export interface ReceiverResponseOptions {
  /** Returns a text without the secrets that were sent. */
  readonly mask: (text: string) => string;
  /** What was requested, without credentials. */
  readonly requestUrl: string;
  readonly habits: ReceiverHabits;
}

/** Returns the parts of a response that decide its outcome, without secrets: each of these texts may be logged and stored. */
export function toReceiverResponse(
  { statusCode: status, headers, body }: ResponseParts,
  { mask, requestUrl, habits }: ReceiverResponseOptions,
): ReceiverResponse {
  const maskHeader = (name: string): string | undefined => headers[name] && mask(headers[name].toString());
  return {
    status,
    body: mask(body.toString('utf8')),
    retryAfter: maskHeader('retry-after'),
    date: maskHeader('date'),
    location: headers.location && maskCredentials(mask(headers.location)),
    requestUrl,
    contentType: maskHeader('content-type'),
    samplesWritten: maskHeader('x-prometheus-remote-write-samples-written'),
    server: maskHeader('server'),
    lacksServerHeader: habits.lacksServerHeader(headers),
    hasNoContentBefore: habits.hasNoContentBefore,
  };
}
