/** The cases of Prometheus' conformance suite for senders of remote write, by their names, that are about requests and responses. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase } from '../../shared/src/database/open.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { RemoteWriteReceiver, type RemoteWriteResponse } from '../support/remote-write-receiver.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';

const VERSION_2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
/** How long the suite lets a sender repeat what was refused. */
const REFUSED_MS = 8_000;

const releases: (() => unknown)[] = [];
let database: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  database = join(folder, 'metrics.db');
  releases.push(() => rmSync(folder, { recursive: true }));
});
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** Sends what is stored to a receiver that responds like this, with waits as short as the suite's. */
async function send(
  respond: RemoteWriteReceiver['respond'],
  { series, samples } = { series: 200, samples: 200 },
): Promise<RemoteWriteReceiver> {
  fillDatabase(database, { samples, series, deviceId: 'board-1' });
  const receiver = await RemoteWriteReceiver.start(respond);
  releases.push(() => receiver.stop());
  const variables = {
    ...{ DB_PATH: database, DEVICE_ID: 'board-1', REMOTE_PROTOCOL: 'remote-write', REMOTE_URL: `${receiver.url}/` },
    ...{ UPLOAD_INTERVAL: '1s', RETRY_INITIAL: '500ms', PROBE_INTERVAL: '1s', HEALTH_PORT: '0' },
  };
  const environment = Object.entries(variables).map(([name, value]) => [`THUGSHELLS_${name}`, value]);
  const uploader = new AgentProcess('uploader', Object.fromEntries(environment) as Record<string, string>);
  releases.push(() => uploader.kill('SIGKILL'));
  return receiver;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const delivered = (): Promise<boolean> => until('everything is delivered', () => readBooks(database).pending === 0);

/** Responds as a receiver of one version does. */
const ofVersion =
  (own: 1 | 2) =>
  ({ version }: { readonly version: string }): RemoteWriteResponse => {
    if (own === 2) return { status: 204, written: 'all' };
    return { status: version.startsWith('2.') ? 415 : 204 };
  };

describe.each([1, 2] as const)('remote write conformance, a receiver of %d.0:', (own) => {
  test('post_method, content_type_protobuf, content_encoding_snappy, version_header_present, user_agent_present: each request has them', async () => {
    const receiver = await send(ofVersion(own));
    await delivered();
    for (const { method, headers, path } of receiver.requests) {
      expect([method, path, headers['content-encoding']]).toEqual(['POST', '/', 'snappy']);
      expect(headers['content-type']).toMatch(/^application\/x-protobuf(;|$)/);
      expect(headers['x-prometheus-remote-write-version']).toMatch(/^(0\.1|2\.0)\.0$/);
      expect(headers['user-agent']).toMatch(/^thugshells\//);
    }
    const { headers } = receiver.writes.at(-1)!;
    expect(headers).toMatchObject(
      own === 2
        ? { 'content-type': VERSION_2, 'x-prometheus-remote-write-version': '2.0.0' }
        : { 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
    );
  });

  test('multiple_series_per_request, many_timeseries: 210 series come in requests of 50 at least', async () => {
    const receiver = await send(ofVersion(own), { series: 210, samples: 420 });
    await delivered();
    expect(Math.min(...receiver.writes.map(({ series }) => series.length))).toBeGreaterThanOrEqual(50);
    expect(receiver.requests.at(-1)!.series.length).toBeGreaterThanOrEqual(50);
  });

  test.each([400, 401, 403, 404, 413])(
    'no_retry_on_%d: two requests at most, and no sample is given up',
    async (status) => {
      const receiver = await send((request) =>
        own === 1 && request.version[0] === '2' ? { status: 415 } : { status },
      );
      await until('two requests have a response', () => receiver.requests.length > 1);
      await sleep(REFUSED_MS);
      expect(receiver.requests.length).toBeLessThanOrEqual(own === 2 ? 2 : 3);
      expect(readBooks(database)).toMatchObject({ pending: 200, rejected: 0, delivered: 0 });
    },
    20_000,
  );

  test.each([500, 502, 503, 504])('retry_on_%d: the same samples are sent again', async (status) => {
    let failures = 0;
    const receiver = await send((request) =>
      request.series.length > 0 && ++failures === 1 ? { status } : ofVersion(own)(request),
    );
    await delivered();
    const [first, second] = receiver.writes;
    expect(second!.body).toEqual(first!.body);
  });

  test('may_retry_on_429: after what Retry-After asks for', async () => {
    let failures = 0;
    const limited = { status: 429, headers: { 'Retry-After': '2' } };
    const receiver = await send((request) =>
      request.series.length > 0 && ++failures === 1 ? limited : ofVersion(own)(request),
    );
    await delivered();
    const [first, second] = receiver.writes;
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(1_990);
  });

  test('backoff_required, exponential_backoff_on_retries: each wait is at least four fifths of the one before it', async () => {
    const receiver = await send(() => ({ status: 503 }));
    await until('five attempts have failed', () => receiver.requests.length >= 5, 60_000);
    const waits = receiver.requests.slice(1).map(({ atMs }, index) => atMs - receiver.requests[index]!.atMs);
    expect(Math.min(...waits)).toBeGreaterThan(300);
    for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(0.8 * (waits[index - 1] ?? 0));
  }, 70_000);

  test.each([
    ['handle_204_no_content', { status: 204 }],
    ['handle_200_ok', { status: 200 }],
  ])('%s: is a success', async (_, success) => {
    await send((request) =>
      own === 2
        ? { ...success, written: 'all' }
        : { ...ofVersion(1)(request), ...(request.version === '0.1.0' ? success : {}) },
    );
    await delivered();
    expect(readBooks(database)).toMatchObject({ delivered: 200, rejected: 0 });
  });
});

describe('remote write conformance, versions:', () => {
  test('fallback_on_415_unsupported_media_type, fallback_header_changes, persistent_fallback_choice: 1.0 after one 415', async () => {
    // Whatever it is sent, this receiver says that it has written one sample.
    const receiver = await send(({ version }) => ({ status: version.startsWith('2.') ? 415 : 204, written: 1 }));
    await delivered();
    const versions = receiver.requests.map(({ version }) => version);
    expect([versions[0], new Set(versions.slice(1))]).toEqual(['2.0.0', new Set(['0.1.0'])]);
    expect(receiver.requests[0]!.headers['content-type']).toBe(VERSION_2);
    expect(readBooks(database)).toMatchObject({ delivered: 200, rejected: 0 });
  });

  test('a success without the count leads to 1.0 before any sample is sent', async () => {
    const receiver = await send(() => ({ status: 204 }));
    await delivered();
    expect(receiver.writes.map(({ version }) => version)).not.toContain('2.0.0');
  });

  test('no fallback on 2xx: the version stays, also if the receiver counts one sample whatever it is sent', async () => {
    const receiver = await send(() => ({ status: 204, written: 1 }));
    await until('a few requests', () => receiver.requests.length > 3);
    expect(new Set(receiver.requests.map(({ version }) => version))).toEqual(new Set(['2.0.0']));
    expect(readBooks(database)).toMatchObject({ rejected: 0 });
  });

  test('ignore_response_body_on_success: the count alone says what was written', async () => {
    await send(() => ({ status: 200, written: 'all', body: 'This is a page.' }));
    await delivered();
    expect(readBooks(database)).toMatchObject({ delivered: 200, rejected: 0 });
  });

  /** Whether a request has a sample of one of the series. */
  const isBad = ({ series }: Parameters<RemoteWriteReceiver['respond']>[0]): boolean =>
    series.some(({ labels }) => labels.some(([name, value]) => name === 'place' && value === '7'));

  test('handle_partial_write_response: a chunk with a refused sample is searched, and all others are delivered', async () => {
    await send((request) =>
      isBad(request) ? { status: 400, written: 0, body: 'place 7 is refused' } : { status: 204, written: 'all' },
    );
    await delivered();
    expect(readBooks(database)).toMatchObject({ delivered: 199, rejected: 1 });
  }, 60_000);

  test('a success of 2.0 that counts fewer new samples: the chunk is searched like a refused one', async () => {
    let isRefusing = false;
    await send((request) => ({
      status: 204,
      written: isRefusing && isBad(request) ? request.series.length - 1 : 'all',
    }));
    await delivered();
    isRefusing = true;
    const collector = openDatabase(database);
    releases.push(() => collector.close());
    collector.exec(`BEGIN;
      INSERT INTO samples (id, series_id, timestamp_ms, value) SELECT id + 200, series_id, timestamp_ms + 1000, value FROM samples;
      UPDATE collector_state SET last_id = 400, collected = 400; COMMIT`);
    await delivered();
    expect(readBooks(database)).toMatchObject({ delivered: 399, rejected: 1 });
  }, 60_000);
});
