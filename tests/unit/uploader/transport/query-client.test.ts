import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@thugshells/shared/clock.ts';

import { findQueryUrl } from '../../../../uploader/src/transport/query-address.ts';
import { QueryClient } from '../../../../uploader/src/transport/query-client.ts';
import { parseFlags } from '../../../../uploader/src/transport/receiver-flags.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';

const never = new AbortController().signal;

test.each([
  ['http://127.0.0.1:8428/api/v1/import', 'http://127.0.0.1:8428/api/v1'],
  ['http://h/api/v1/import?extra_label=site%3Db', 'http://h/api/v1?extra_label=site%3Db'],
  ['https://ann:pw@h/vm/api/v1/import/', 'https://ann:pw@h/vm/api/v1'],
  ['http://h:8480/insert/0/prometheus/api/v1/import', 'http://h:8480/select/0/prometheus/api/v1'],
  ['http://h/vm/insert/7:3/prometheus/api/v1/write', 'http://h/vm/select/7:3/prometheus/api/v1'],
  ['http://prometheus:9090/api/v1/write', 'http://prometheus:9090/api/v1'],
  ['http://mimir/api/v1/push', 'http://mimir/prometheus/api/v1'],
  ['http://thanos:19291/api/v1/receive', undefined],
  ['http://h/own/path', undefined],
])('query address: of a receiver at %s it is %s', (remoteUrl, expected) => {
  expect(findQueryUrl({ remoteUrl, queryUrl: '' })?.href).toBe(expected);
});

test.each([
  ['http://query:9090', 'http://ann:pw@query:9090/api/v1'],
  ['http://query:9090/api/v1/', 'http://ann:pw@query:9090/api/v1'],
  ['http://query/select/0/prometheus', 'http://ann:pw@query/select/0/prometheus/api/v1'],
  ['http://bob:x@query/api/v1/query', 'http://bob:x@query/api/v1'],
])('query address: %s is taken as %s, with the user of the uploads unless it has its own', (queryUrl, expected) => {
  expect(findQueryUrl({ remoteUrl: 'http://ann:pw@h/own/path', queryUrl })?.href).toBe(expected);
});

describe('receiver flags', () => {
  const page = (retention: string, dedup: string): string =>
    `-dedup.minScrapeInterval="${dedup}"\n-retentionPeriod="${retention}"\n-storageDataPath="/x"\n`;

  test.each([
    ['1', '1ms', 31 * 86_400_000, 1],
    ['1d', '0s', 86_400_000, 0],
    ['10y', '1m30s', 3650 * 86_400_000, 90_000],
    ['100y', '0', 36_500 * 86_400_000, 0],
    ['1M', '', 31 * 86_400_000, 0],
    ['1.5', '', 46.5 * 86_400_000, 0],
    ['24h', '', 86_400_000, 0],
    ['1w2d', '', 9 * 86_400_000, 0],
  ])('retention %s and deduplication %s are read', (retention, dedup, retentionMs, dedupMs) => {
    expect(parseFlags(page(retention, dedup))).toEqual({ retentionMs, acceptedAgeMs: retentionMs, dedupMs });
  });

  test.each([[''], ['0'], ['23h'], ['1x'], ['1e9y'], ['.'], ['forever']])(
    'retention %j is none that VictoriaMetrics has, so that no age is too old',
    (retention) => {
      expect(parseFlags(page(retention, '0s'))).toMatchObject({ acceptedAgeMs: undefined });
    },
  );

  test.each([
    ['2d', 2],
    ['0', 31],
    ['', 31],
    ['100d', 31],
  ])('of a retention of a month and maxBackfillAge %j samples of %d days are accepted', (backfill, days) => {
    const flags = parseFlags(`${page('1M', '0s')}-maxBackfillAge="${backfill}"\n`);
    expect(flags).toMatchObject({ retentionMs: 31 * 86_400_000, acceptedAgeMs: days * 86_400_000 });
  });

  test('are read from metrics too, where also those stand that were not set', () => {
    const flag = (name: string, value: string): string => `flag{name="${name}", value="${value}", is_set="false"} 1\n`;
    const metrics = `# help\n${flag('dedup.minScrapeInterval', '10s')}${flag('retentionPeriod', '1M')}`;
    expect(parseFlags(`${metrics}${flag('storageDataPath', '/x')}`)).toEqual({
      retentionMs: 31 * 86_400_000,
      acceptedAgeMs: 31 * 86_400_000,
      dedupMs: 10_000,
    });
    expect(parseFlags(metrics)).toBeUndefined();
  });

  test('are none of a vmauth, or of a page', () => {
    expect(parseFlags('-auth.config="x"\n')).toBeUndefined();
    expect(parseFlags('<html>')).toBeUndefined();
  });
});

describe('query client', () => {
  let server: Server | undefined;
  let client: QueryClient | undefined;
  afterEach(() => {
    client?.close();
    server?.closeAllConnections();
    server?.close();
  });

  async function answering(
    handle: (request: IncomingMessage, response: ServerResponse) => void,
    queryTimeoutMs = 60_000,
  ): Promise<QueryClient> {
    server = createServer(handle).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const remoteUrl = `http://ann:long.secret@127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/import`;
    return (client = new QueryClient({
      ...directConnection,
      clock: systemClock,
      remoteUrl,
      queryUrl: '',
      queryTimeoutMs,
    }));
  }
  const json = (response: ServerResponse, status: number, body: object): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const success = (result: readonly object[], more: object = {}): object => ({
    status: 'success',
    data: { resultType: 'vector', result },
    ...more,
  });

  test('sends the credentials of the uploads and reads values and times, gzipped', async () => {
    let seen = '';
    const asked = await answering((request, response) => {
      seen = `${request.method} ${request.url} ${request.headers.authorization}`;
      const rows = [
        { metric: { __name__: 'a' }, value: [1, '5'] },
        {
          metric: { __name__: 'b' },
          values: [
            [1700000000.123, '1'],
            [1700000001, 'NaN'],
          ],
        },
      ];
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify(success(rows))));
    });
    expect(await asked.query('up', 1_700_000_000_123, never)).toEqual([
      { labels: { __name__: 'a' }, value: 5, timestamps: [] },
      { labels: { __name__: 'b' }, value: NaN, timestamps: [1_700_000_000_123, 1_700_000_001_000] },
    ]);
    expect(seen).toBe(`POST /api/v1/query Basic ${Buffer.from('ann:long.secret').toString('base64')}`);
  });

  test.each<[string, number, object, string]>([
    ['a refusal', 401, { error: 'cannot find the provided auth token' }, 'RECEIVER_UNREADABLE'],
    ['a query that it does not know', 400, { status: 'error', error: 'parse error' }, 'QUERY_REFUSED'],
    ['a part of the samples', 200, success([], { isPartial: true }), 'RECEIVER_UNREADABLE'],
    ['a warning that a store was away', 200, success([], { warnings: ['store away'] }), 'RECEIVER_UNREADABLE'],
    ['another object', 200, { captive: true }, 'RECEIVER_UNREADABLE'],
    ['rows of another form', 200, success([{ metric: { a: 1 } }]), 'RECEIVER_UNREADABLE'],
  ])('%s is no result', async (_, status, body, code) => {
    const asked = await answering((__, response) => json(response, status, body));
    await expect(asked.query('up', 0, never)).rejects.toMatchObject({ code });
  });

  test('a page, and one without end, are no results, and no password is named', async () => {
    const page = await answering((_, response) => void response.end('<html>log in with long.secret</html>'));
    await expect(page.query('up', 0, never)).rejects.toMatchObject({
      code: 'RECEIVER_UNREADABLE',
      message: expect.not.stringContaining('long.secret'),
    });
    server!.close();
    const endless = await answering((_, response) => {
      // `writable` stays true after the connection has ended.
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(1 << 20), () => setImmediate(more));
      };
      more();
    });
    await expect(endless.query('up', 0, never)).rejects.toMatchObject({ code: 'ANSWER_TOO_LONG' });
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['nothing', () => undefined],
    ['a byte now and then', (response) => void setInterval(() => response.write(' '), 50).unref()],
  ])('a receiver that sends %s is unreadable after the timeout', async (_, handle) => {
    const slow = await answering((__, response) => handle(response), 400);
    await expect(slow.query('up', 0, never)).rejects.toMatchObject({
      code: 'RECEIVER_UNREADABLE',
      message: expect.stringContaining('cannot read http://'),
    });
  });

  test('without a known path or a QUERY_URL it says which variable to set', () => {
    const create = (): QueryClient =>
      new QueryClient({ ...directConnection, clock: systemClock, remoteUrl: 'http://h/own', queryUrl: '' });
    expect(create).toThrow(expect.objectContaining({ hint: expect.stringContaining('THUGSHELLS_QUERY_URL') }));
  });
});
