import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';
import type { DateAnswer } from '../../../../uploader/src/clock/receiver-clock.ts';
import { toDateAnswer } from '../../../../uploader/src/transport/date-request.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { RemoteWriteProtocol } from '../../../../uploader/src/transport/remote-write.ts';
import type { SendOutcome } from '../../../../uploader/src/transport/transport.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

const WRITTEN = 'x-prometheus-remote-write-samples-written';
const VERSION_2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
const never = new AbortController().signal;
const delivered: SendOutcome = { kind: 'delivered' };

let server: Server;
let remote: HttpTransport;
let requests: IncomingHttpHeaders[];
let nowMs: number;
/** Status, headers and body for a request, by what it says of itself. */
let answer: (version: 1 | 2) => [status: number, headers?: Record<string, string>, body?: string];

beforeEach(async () => {
  requests = [];
  nowMs = 0;
  answer = () => [204];
  server = createServer((request, response) => {
    requests.push(request.headers);
    const [status, headers = {}, body = ''] = answer(request.headers['content-type'] === VERSION_2 ? 2 : 1);
    request.resume().once('end', () => response.writeHead(status, headers).end(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
  remote = new HttpTransport({
    protocol: new RemoteWriteProtocol({ monotonic: () => nowMs }),
    clock: systemClock,
    remoteUrl,
    remoteTimeoutMs: 20_000,
    ...directConnection,
  });
});
afterEach(async () => {
  remote.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** Posts a chunk of so many samples in the format that is due; only what its headers say of it matters here. */
async function post(count = 50): Promise<SendOutcome> {
  const { outcome } = await remote.send({ ...madeChunk(count), format: remote.format }, never);
  return outcome;
}

/** Asks without samples, as the uploader does before it sends any. */
async function ask(): Promise<SendOutcome['kind']> {
  return (await remote.ask(never)).outcome.kind;
}

const versions = (): unknown[] => requests.map((headers) => headers['x-prometheus-remote-write-version']);

describe('remote write to a receiver of 1.0:', () => {
  test('sends the headers that the specification requires, after it has asked once for 2.0', async () => {
    expect([await ask(), await post(), await post()]).toEqual(['delivered', delivered, delivered]);
    expect(versions()).toEqual(['2.0.0', '0.1.0', '0.1.0']);
    expect(requests[1]).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'user-agent': expect.stringMatching(/^thugshells\/\d/),
    });
  });

  test('delivers nothing that was sent in 2.0 to a receiver that responds without a count', async () => {
    expect(await post()).toMatchObject({ kind: 'hold', reason: expect.stringContaining('1.0 is used next') });
    expect([remote.format, await post()]).toEqual(['remote-write-1', delivered]);
  });

  test.each([
    [415, 'delivered'],
    [400, 'rejected'],
  ] as const)('uses 1.0 after a %d to the question, which is %s', async (status, kind) => {
    answer = (version) => [version === 2 ? status : 204];
    expect([await ask(), remote.format, await post()]).toEqual([kind, 'remote-write-1', delivered]);
  });

  test.each([401, 404, 503, 302])('stays with 2.0 after a %d to the question', async (status) => {
    answer = () => [status];
    expect([await ask(), remote.format]).not.toContain('remote-write-1');
  });

  test('asks again once a day, and an hour after the receiver’s Server header has changed', async () => {
    await ask();
    await post();
    nowMs += 86_400_000 - 1;
    await post();
    expect(versions()).toEqual(['2.0.0', '0.1.0', '0.1.0']);
    nowMs += 1;
    await post();
    expect(versions().slice(3)).toEqual(['0.1.0', '2.0.0']);
    nowMs += 3_600_000 - 1;
    answer = (version) => [204, version === 2 ? { server: 'new', [WRITTEN]: '0' } : { server: 'new' }];
    expect([await post(), remote.format]).toEqual([delivered, 'remote-write-1']);
    nowMs += 1;
    expect([await post(), remote.format]).toEqual([delivered, 'remote-write-2']);
  });

  test.each([
    [400, 'rejected'],
    [409, 'rejected'],
    [413, 'rejected'],
    [422, 'rejected'],
    [401, 'hold'],
    [403, 'hold'],
    [404, 'hold'],
    [405, 'hold'],
    [415, 'hold'],
    [301, 'hold'],
    [408, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [502, 'retry'],
    [503, 'retry'],
  ])('the status %d leads to %s', async (status, kind) => {
    await ask();
    answer = () => [status, {}, 'out of order sample\n'];
    expect(await post()).toMatchObject({
      kind,
      ...(status === 301 ? {} : { reason: expect.stringMatching(`^HTTP ${status}: out of order sample(;|$)`) }),
    });
  });

  test('heeds Retry-After', async () => {
    await ask();
    answer = () => [429, { 'retry-after': '7' }];
    expect(await post()).toMatchObject({ kind: 'retry', retryAfterMs: 7_000 });
  });

  test('delivers nothing to a portal that responds in the receiver’s place, and learns no version from it', async () => {
    answer = () => [200, {}, '<html>Hotel WLAN</html>'];
    expect([await ask(), await post(), remote.format]).toEqual([
      'retry',
      expect.objectContaining({ kind: 'retry' }),
      'remote-write-2',
    ]);
  });
});

test('remote write: a receiver that reads 1.0 as 2.0 has delivered nothing, and gets 2.0 next', async () => {
  answer = (version) => (version === 2 ? [415] : [204, { [WRITTEN]: '0' }]);
  await ask();
  expect(await post()).toEqual({
    kind: 'hold',
    reason: expect.stringContaining('0 of 50 samples written: the receiver read remote write 1.0 as 2.0'),
  });
  expect(remote.format).toBe('remote-write-2');
});

test('remote write: any other count of a receiver of 1.0 says nothing', async () => {
  answer = (version) => (version === 2 ? [415] : [204, { [WRITTEN]: '1' }]);
  await ask();
  expect([await post(), remote.format]).toEqual([delivered, 'remote-write-1']);
});

describe('remote write to a receiver of 2.0:', () => {
  let written: string | undefined;

  beforeEach(async () => {
    written = '0';
    answer = (version) => [204, version === 2 && written !== undefined ? { [WRITTEN]: written } : {}];
    expect([await ask(), remote.format]).toEqual(['delivered', 'remote-write-2']);
  });

  test('a chunk is delivered if the receiver counts every sample of it', async () => {
    written = '50';
    expect(await post()).toEqual(delivered);
    expect(requests.at(-1)).toMatchObject({ 'content-type': VERSION_2, 'x-prometheus-remote-write-version': '2.0.0' });
  });

  test('a chunk is delivered if the receiver counts more samples than it was sent', async () => {
    written = '51';
    expect(await post()).toEqual(delivered);
  });

  test('a chunk is rejected if the receiver counts fewer samples, also with status 2xx, and each time', async () => {
    written = '49';
    const rejected = { kind: 'rejected', reason: 'HTTP 204, but 49 of 50 samples written' };
    expect([await post(), await post()]).toEqual([rejected, rejected]);
  });

  test.each(['', 'many', '-1', '1.5'])('nothing is known of a chunk that is counted as “%s”', async (count) => {
    written = count;
    expect(await post()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('unreadable count') });
  });

  test('samples whose response was lost need not be counted again, and new ones need', async () => {
    answer = () => [503];
    expect(await post(30)).toMatchObject({ kind: 'retry' });
    answer = () => [204, { [WRITTEN]: written! }];
    written = '19';
    expect(await post(50)).toMatchObject({ kind: 'rejected' });
    answer = () => [503];
    expect(await post(30)).toMatchObject({ kind: 'retry' });
    answer = () => [204, { [WRITTEN]: written! }];
    written = '20';
    expect(await post(50)).toEqual(delivered);
  });

  test('of samples that are sent again, a receiver may count only what is new', async () => {
    written = '50';
    expect(await post()).toEqual(delivered);
    written = '0';
    expect(await post()).toEqual(delivered);
    written = '10';
    expect(await post(60)).toEqual(delivered);
  });

  test('what an earlier process may have sent need not be counted', async () => {
    remote.expectRepeats([[1, 40]]);
    written = '9';
    expect(await post()).toMatchObject({ kind: 'rejected' });
    remote.expectRepeats([[1, 40]]);
    written = '10';
    expect(await post()).toEqual(delivered);
  });

  test('a response without a count delivers nothing, and 1.0 is used next', async () => {
    written = undefined;
    expect(await post()).toMatchObject({
      kind: 'hold',
      reason: expect.stringMatching(/does not support remote write 2.0/),
    });
    expect([remote.format, await post()]).toEqual(['remote-write-1', delivered]);
  });

  test('1.0 is used after a 415', async () => {
    answer = (version) => [version === 2 ? 415 : 204];
    expect(await post()).toMatchObject({ kind: 'hold' });
    expect([remote.format, await post()]).toEqual(['remote-write-1', delivered]);
  });

  test('a chunk with a rejected sample is bisected', async () => {
    answer = () => [400, { [WRITTEN]: '49' }, 'one sample is too old'];
    expect(await post()).toEqual({ kind: 'rejected', reason: 'HTTP 400: one sample is too old' });
  });
});

test('remote write: a receiver is checked by a connection alone, and is away if there is none', async () => {
  const here = { connection: undefined, isClosing: false, isReceiver: true };
  expect(await remote.checkReceiver(never)).toEqual(here);
  expect(requests).toEqual([]);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  expect(await remote.checkReceiver(never)).toBeUndefined();
  // afterEach() closes it.
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

test('remote write: only a receiver that names itself as VictoriaMetrics does is asked for its uptime', async () => {
  answer = () => [204, { [WRITTEN]: '50' }];
  expect([await post(), await remote.askStartTime(never), requests.length]).toEqual([
    delivered,
    { kind: 'unreadable' },
    1,
  ]);
  answer = () => [204, { [WRITTEN]: '50', 'x-server-hostname': 'vm' }];
  expect(await post()).toEqual(delivered);
  await remote.askStartTime(never);
  expect(requests).toHaveLength(3);
});

describe('remote write, the time in the response to a request without samples:', () => {
  const askDate = async (): Promise<DateAnswer> => toDateAnswer(await remote.ask(never), remote);

  test('is the receiver’s if it has counted, and anybody’s without a count over HTTP', async () => {
    answer = () => [204, { [WRITTEN]: '0' }];
    expect(await askDate()).toEqual({ date: expect.stringContaining('GMT'), age: undefined, isReceivers: true });
    answer = () => [415];
    expect(await askDate()).toEqual({ date: expect.stringContaining('GMT'), age: undefined, isReceivers: false });
  });

  test.each([401, 503])('is nobody’s in a response with status %d', async (status) => {
    answer = () => [status];
    expect(await askDate()).toEqual({ isReceivers: false });
  });
});

describe('uploader configuration: refuses a URL of the other protocol:', () => {
  test.each([
    [
      'remote-write',
      'http://127.0.0.1:8428/api/v1/import',
      /accepts JSON lines, and THUGSHELLS_REMOTE_PROTOCOL is remote-write/,
    ],
    [
      'victoriametrics',
      'http://127.0.0.1:9090/api/v1/write',
      /accepts remote write, and THUGSHELLS_REMOTE_PROTOCOL is victoriametrics/,
    ],
    ['victoriametrics', 'http://mimir/api/v1/push', /accepts remote write/],
  ])('%s at %s', (protocol, url, message) => {
    expect(() => loadUploaderConfig({ THUGSHELLS_REMOTE_PROTOCOL: protocol, THUGSHELLS_REMOTE_URL: url })).toThrow(
      message,
    );
  });

  test('but accepts one of the same protocol', () => {
    const { values } = loadUploaderConfig({
      THUGSHELLS_REMOTE_PROTOCOL: 'remote-write',
      THUGSHELLS_REMOTE_URL: 'http://mimir/api/v1/push',
    });
    expect(values.remoteProtocol).toBe('remote-write');
  });
});
