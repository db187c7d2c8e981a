import { gunzipSync } from 'node:zlib';

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
