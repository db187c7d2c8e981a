import { gunzipSync } from 'node:zlib';

import { AgentError } from '@thugshells/shared/errors.ts';

import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { duration } from '../../health/formatting.ts';
import { HttpClient } from '../../transport/http-client.ts';
import type { HttpTransportOptions } from '../../transport/http-transport.ts';
import { findQueryUrl } from '../../transport/query-address.ts';
import { QueryClient } from '../../transport/query-client.ts';
import { findBeside } from '../../transport/receiver-address.ts';
import type { ReceiverFlags } from '../../transport/receiver-flags.ts';
import { identifyReceiver } from './receiver-kind.ts';
import { passed, skipped, type StepResult } from './step.ts';

/** A large receiver has more metrics than the first megabyte, and its flags and version among them. */
const MAX_PAGE_BYTES = 16 * 1024 ** 2;
const DEDUPLICATION = '-dedup.minScrapeInterval';

/** Finds out what kind of receiver answers, where it shows that. */
export async function testReceiver(options: HttpTransportOptions, config: UploaderConfig): Promise<StepResult> {
  const client = new HttpClient(options);
  const read = async (url: URL | undefined): Promise<string> => {
    if (url?.origin !== new URL(options.remoteUrl).origin) return '';
    try {
      const { statusCode, headers, body } = await client.getPage(url.href, new AbortController().signal);
      if (statusCode !== 200) return '';
      const isGzip = headers['content-encoding']?.trim().toLowerCase() === 'gzip';
      return (isGzip ? gunzipSync(body, { maxOutputLength: MAX_PAGE_BYTES }) : body).toString('utf8');
    } catch {
      return '';
    }
  };
  try {
    const [metrics, flags] = [
      await read(findBeside(options.remoteUrl, 'metrics')),
      await read(findBeside(options.remoteUrl, 'flags')),
    ];
    const kind = identifyReceiver({ metrics, flags, buildInfo: await read(findBuildInfo(config)) });
    return kind === undefined ? skipped('receiver', 'of a kind that it does not show') : passed('receiver', kind);
  } finally {
    client.close();
  }
}

function findBuildInfo(config: UploaderConfig): URL | undefined {
  const url = findQueryUrl(config);
  if (url !== undefined) url.pathname = `${url.pathname}/status/buildinfo`;
  return url;
}

/** Tests whether the receiver can be read, which `verify` needs, and finds out what it keeps. Uploads do not depend on it. */
export async function testReadSide(options: HttpTransportOptions, config: UploaderConfig): Promise<StepResult> {
  const { signal } = new AbortController();
  let client: QueryClient | undefined;
  try {
    client = new QueryClient({ ...options, queryUrl: config.queryUrl });
    await client.query('vector(1)', options.clock.now(), signal);
    const flags = await client.readFlags(signal);
    return passed('read side', `${client.address} answers queries; ${describeFlags(flags)}`);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return skipped('read side', [`verify cannot be used: ${error.message}`, error.hint].filter(Boolean).join('; '));
  } finally {
    client?.close();
  }
}

function describeFlags(flags: ReceiverFlags | undefined): string {
  if (flags === undefined) return 'its retention and deduplication are not shown';
  const { retentionMs, dedupMs } = flags;
  const kept = retentionMs === undefined ? 'its retention is not shown' : `retention ${duration(retentionMs / 1000)}`;
  return dedupMs === 0
    ? `${kept}, without ${DEDUPLICATION}: a sample that is sent again is stored twice`
    : `${kept}, ${DEDUPLICATION}=${dedupMs}ms`;
}
