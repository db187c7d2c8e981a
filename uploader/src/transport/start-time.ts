import { gunzipSync } from 'node:zlib';

import type { RestartAnswer } from '../queue/restart-signs.ts';
import { isCloseAnnounced } from './connection-watch.ts';
import type { HttpResponse } from './http-client.ts';
import { isOfSomebodyElse } from './response-origin.ts';

const TOO_MANY_REQUESTS = 429;

/** By how much an uptime in metrics may be too low: whole seconds, and metrics that are computed once a second. */
const MAX_UPTIME_LAG_MS = 3_000;

/** The metrics of a VictoriaMetrics are some 50 KB, with many tenants or series types more. */
const MAX_METRICS_BYTES = 4 * 1024 ** 2;

/**
 * Returns for how many whole seconds the process that stores the samples has been running; undefined if these are not its
 * metrics. Only a process with data of its own counts: behind a vmauth, vminsert or vmagent another one stores.
 */
export function readStorageUptime(metrics: string): number | undefined {
  const hasStorage = /^vm_data_size_bytes\{type="storage\//m.test(metrics);
  const uptime = /^vm_app_uptime_seconds (\d+)$/m.exec(metrics)?.[1];
  return hasStorage && uptime !== undefined ? Number(uptime) : undefined;
}

/** Decodes a response's body. @throws if it is cut, longer than it may be or encoded in another way */
export function decodeMetrics(body: Buffer, contentEncoding: string | undefined): string {
  const isGzip = contentEncoding?.trim().toLowerCase() === 'gzip';
  return (isGzip ? gunzipSync(body, { maxOutputLength: MAX_METRICS_BYTES }) : body).toString('utf8');
}

/** When the receiver was asked and responded, in milliseconds since boot, and over which connection. */
export interface StartTimeRequest {
  readonly connection: number | undefined;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

/** Returns what the metrics of a receiver show of when the process began that stores the samples. */
export function toRestartAnswer(
  response: Pick<HttpResponse, 'statusCode' | 'headers' | 'body' | 'httpVersion'>,
  { connection, askedAtMs, answeredAtMs }: StartTimeRequest,
): RestartAnswer {
  const { statusCode: status, headers, body } = response;
  const isPage = status === 200 && headers['content-type']?.startsWith('text/html') === true;
  if (isOfSomebodyElse(status) || status === TOO_MANY_REQUESTS || isPage) return { kind: 'unanswered' };
  const text = status === 200 ? decodeMetrics(body, headers['content-encoding']) : '';
  const uptimeSeconds = readStorageUptime(text);
  if (uptimeSeconds === undefined) return { kind: 'unreadable' };
  const uptimeMs = uptimeSeconds * 1000;
  return {
    kind: 'started',
    earliestMs: askedAtMs - uptimeMs - MAX_UPTIME_LAG_MS,
    latestMs: answeredAtMs - uptimeMs,
    connection: isCloseAnnounced(response) ? undefined : connection,
  };
}
