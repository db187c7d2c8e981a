import { get, type IncomingMessage } from 'node:http';

import { toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

import type { DeviceStatus } from '../health/device-status.ts';
import { createNonce, isProven, NONCE_HEADER, PROOF_HEADER } from '../http/status-proof.ts';

/** The status of a running uploader; without it the database has its last report, and `problem` is why it could not be fetched. */
export interface FetchedStatus {
  readonly status?: DeviceStatus;
  readonly problem?: string;
}

/** The uploader responds within milliseconds; this is for the whole response. */
const TIMEOUT_MS = 3_000;
/** A status has some kilobytes. */
const MAX_BODY_BYTES = 1024 ** 2;

/**
 * Fetches the status from the uploader that wrote a report. Another program may have its port by now, so only a response
 * that proves to be from the uploader of this database counts.
 */
export async function fetchStatus({
  endpoint,
  statusKey = '',
}: Partial<Pick<UploaderReport, 'endpoint' | 'statusKey'>>): Promise<FetchedStatus> {
  if (endpoint === undefined) return {};
  try {
    const nonce = createNonce();
    const { body, headers } = await fetchBody(new URL('/status.json', endpoint), { [NONCE_HEADER]: nonce });
    if (statusKey === '' || !isProven(statusKey, nonce, { body, proof: headers[PROOF_HEADER] }))
      throw new Error('the response does not prove that it is from the uploader of this database');
    return { status: JSON.parse(body) as DeviceStatus };
  } catch (error) {
    // The uploader was killed, and nobody has its port.
    if (toErrorCode(error) === 'ECONNREFUSED') return {};
    return {
      problem: `cannot get the status from ${endpoint}: ${toErrorMessage(error)}; what follows is the last report in the database`,
    };
  }
}

interface FetchedBody {
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

/** Returns a response with status 200. Not with got or fetch: they would use the environment's proxy. */
function fetchBody(url: URL, headers: Readonly<Record<string, string>>): Promise<FetchedBody> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    deadline.addEventListener('abort', () => reject(new Error(`no complete response within ${TIMEOUT_MS / 1000} s`)));
    const request = get(url, { headers, agent: false, signal: deadline }, (response) => {
      if (response.statusCode !== 200) return void request.destroy(new Error(`HTTP ${response.statusCode}`));
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        length += part.length;
        if (length > MAX_BODY_BYTES) response.destroy(new Error(`the response is longer than ${MAX_BODY_BYTES} bytes`));
      });
      response.once('end', () => resolve({ body: Buffer.concat(parts).toString('utf8'), headers: response.headers }));
      response.once('error', reject);
    });
    request.once('error', reject);
  });
}
