// Longer than a test should be: each response and each end of a connection is a case.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { startReceiver, type Receiver } from '../../../receiver/src/server.ts';
import type { RestartSign } from '../../../../uploader/src/queue/restart-signs.ts';
import type { SendResult } from '../../../../uploader/src/transport/transport.ts';
import { HttpTransport, type HttpTransportOptions } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { until } from '../../../support/until.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

let receiver: Receiver;
let remote: HttpTransport;
let signs: RestartSign[];
const chunk = madeChunk(50);
const never = new AbortController().signal;

beforeEach(async () => {
  receiver = await startReceiver();
  connect();
});
afterEach(async () => {
  remote.close();
  await receiver.stop();
});

/** A client of its own settings in place of the last one. */
function connect(options: Partial<HttpTransportOptions> = {}): void {
  // Its own list: the end of an earlier client's connections may be told of later.
  const seen: RestartSign[] = (signs = []);
  remote = new HttpTransport({
    protocol: new VictoriaMetricsProtocol(),
    clock: systemClock,
    remoteUrl: `${receiver.url}/api/v1/import`,
    remoteTimeoutMs: 20_000,
    ...directConnection,
    ...options,
  });
  remote.onRestartSign((sign) => seen.push(sign));
}

async function post(): Promise<SendResult> {
  return remote.send(chunk, never);
}

describe('request to VictoriaMetrics:', () => {
  test('delivers the chunk, and returns duration and bytes', async () => {
    const { durationMs, bytesSent, date, sentAtMs, receivedAtMs, ...seen } = await post();
    const endpoint = `${receiver.url}/api/v1/import`;
    const sent = { status: 204, bytesReceived: 0, connection: 1, isClosing: false };
    expect(seen).toEqual({ outcome: { kind: 'delivered' }, endpoint, ...sent });
    expect(durationMs).toBeGreaterThan(0);
    expect(Date.parse(date!)).toBeGreaterThan(0);
    expect(receivedAtMs! - sentAtMs!).toBeGreaterThanOrEqual(0);
    // Headers are paid for as well.
    expect(bytesSent).toBeGreaterThan(chunk.body.length + 100);
    expect(bytesSent).toBeLessThan(chunk.body.length + 200);
    expect(receiver.rows().map(({ value }) => value)).toEqual([...chunk.ids]);
    expect((await post()).bytesSent).toBe(bytesSent);
  });

  test('has the headers that the body needs, and no others, which would cost bytes', async () => {
    await post();
    const { headers } = receiver.requests[0]!;
    const { host } = new URL(receiver.url);
    const needed = {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'content-length': String(chunk.body.length),
    };
    expect(headers).toEqual({ host, connection: 'keep-alive', ...needed });
  });

  test('is to be retried if a page comes back', async () => {
    receiver.setFaults({ status: 200, body: '<html>Log in</html>' });
    expect(await post()).toMatchObject({ outcome: { kind: 'retry' }, status: 200, bytesReceived: 19 });
  });

  test('reports an announced close of the connection', async () => {
    receiver.setFaults({ headers: { Connection: 'close' } });
    expect(await post()).toMatchObject({ outcome: { kind: 'delivered' }, isClosing: true });
  });

  test('heeds Retry-After by the receiver’s clock', async () => {
    const headers = {
      'Retry-After': new Date(Math.floor(Date.now() / 1000) * 1000 - 3_600_000 + 60_000).toUTCString(),
    };
    receiver.setFaults({ status: 429, headers, dateSkewMs: -3_600_000 });
    const { outcome } = await post();
    const waitMs = outcome.kind === 'retry' ? (outcome.retryAfterMs ?? 0) : 0;
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
  });

  test('does not follow a redirect', async () => {
    const elsewhere = await startReceiver();
    receiver.setFaults({ status: 307, headers: { Location: `${elsewhere.url}/api/v1/import` } });
    expect(await post()).toMatchObject({
      outcome: { kind: 'hold', reason: expect.stringContaining(elsewhere.url) },
      status: 307,
    });
    expect([elsewhere.requests.length, receiver.requests.length]).toEqual([0, 1]);
    await elsewhere.stop();
  });

  test('is sent once, whatever its outcome: the retrying transport retries', async () => {
    receiver.setFaults({ status: 503 });
    await post();
    expect(receiver.requests).toHaveLength(1);
  });
});

describe('no response from VictoriaMetrics:', () => {
  test('because nothing listens', async () => {
    await receiver.stop();
    const seen = await post();
    expect(seen).toMatchObject({
      outcome: { kind: 'retry' },
      errorCode: 'ECONNREFUSED',
      bytesSent: 0,
      bytesReceived: 0,
      isClosing: false,
    });
    expect(seen.status).toBeUndefined();
  });

  test('because the connection broke', async () => {
    receiver.setFaults({ eatResponse: true });
    expect(await post()).toMatchObject({ outcome: { kind: 'retry' }, errorCode: 'ECONNRESET', connection: 1 });
  });

  test('within the timeout', async () => {
    connect({ remoteTimeoutMs: 100 });
    receiver.setFaults({ hang: true });
    expect(await post()).toMatchObject({ outcome: { kind: 'retry' }, errorCode: 'ETIMEDOUT' });
    await until('the connection is closed', () => signs.length === 1);
  });

  test('that is complete within the timeout', async () => {
    connect({ remoteTimeoutMs: 100 });
    receiver.setFaults({ status: 200, body: '{"accepted":50}', dripMs: 50 });
    expect(await post()).toMatchObject({ outcome: { kind: 'retry' }, errorCode: 'ETIMEDOUT' });
  });

  test('that is short enough to be read', async () => {
    receiver.setFaults({ status: 200, body: 'x'.repeat(1024 ** 2) });
    expect(await post()).toMatchObject({
      outcome: { kind: 'retry', reason: expect.stringContaining('65536') },
      errorCode: 'ANSWER_TOO_LONG',
    });
    await until('the connection is closed', () => signs.length === 1);
  });

  test('because the request is abandoned, which rejects', async () => {
    receiver.setFaults({ hang: true });
    const abandon = new AbortController();
    const posted = remote.send(chunk, abandon.signal);
    await until('the post is under way', () => receiver.requests.length === 1);
    abandon.abort();
    await expect(posted).rejects.toThrow(/abort/i);
  });
});

describe('connection to VictoriaMetrics:', () => {
  test('is kept with its number', async () => {
    const posts = [await post(), await post(), await post()];
    expect(posts.map(({ connection }) => connection)).toEqual([1, 1, 1]);
    expect(receiver.requests.map(({ connection }) => connection)).toEqual([1, 1, 1]);
    expect(signs).toEqual([]);
  });

  test('is reported once when it ends, and the next one has another number', async () => {
    await post();
    receiver.dropConnections();
    await until('the end is noticed', () => signs.length > 0);
    expect((await post()).connection).toBe(2);
    expect(signs).toEqual([
      {
        kind: 'connection ended',
        connection: 1,
        isAnnounced: false,
        idleMs: expect.any(Number),
      },
    ]);
  });

  test('is reported with how long it had been idle, also to the next request', async () => {
    await post();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { idleBeforeMs } = await post();
    expect(idleBeforeMs).toBeGreaterThan(250);
    await new Promise((resolve) => setTimeout(resolve, 500));
    receiver.dropConnections();
    await until('the end is noticed', () => signs.length > 0);
    const [end] = signs;
    expect(end).toMatchObject({ isAnnounced: false });
    expect(end?.kind === 'connection ended' ? end.idleMs : undefined).toBeGreaterThan(450);
    expect((await post()).idleBeforeMs).toBeUndefined();
  });

  test.each([
    ['Connection: close', { Connection: 'close' }],
    ['close among other options', { Connection: 'Upgrade, Close' }],
  ])('is not a sign of a restart if its end is announced: %s', async (_, headers) => {
    receiver.setFaults({ headers });
    expect(await post()).toMatchObject({ outcome: { kind: 'delivered' }, isClosing: true });
    await until('the end is noticed', () => signs.length > 0);
    expect(signs).toMatchObject([{ kind: 'connection ended', isAnnounced: true }]);
  });

  test('is not a sign of a restart if this side closes it', async () => {
    await post();
    remote.close();
    await until('the end is noticed', () => signs.length > 0);
    expect(signs).toMatchObject([{ kind: 'connection ended', isAnnounced: true }]);
  });

  test('has no time of idleness if it ends while a response is due', async () => {
    await post();
    receiver.setFaults({ cutConnection: true, count: 1 });
    await post();
    await until('the end is noticed', () => signs.length > 0);
    expect(signs).toMatchObject([{ connection: 1, isAnnounced: false, idleMs: undefined }]);
  });

  test('costs a second attempt at once, and no failure, if it ended just before it was used again', async () => {
    await post();
    receiver.setFaults({ cutConnection: true, count: 1 });
    expect(await post()).toMatchObject({ outcome: { kind: 'delivered' }, connection: 2 });
    expect([receiver.rows().length, receiver.duplicates()]).toEqual([100, 50]);
  });

  test('causes a failure if it ends again at the second attempt', async () => {
    await post();
    receiver.setFaults({ cutConnection: true, count: 2 });
    expect(await post()).toMatchObject({ outcome: { kind: 'retry' }, errorCode: 'ECONNRESET', connection: 2 });
  });

  test('causes a failure if it ends within a response', async () => {
    await post();
    receiver.setFaults({ status: 200, body: '{"accepted":50}', dripMs: 20 });
    const posted = post();
    await until('the post is under way', () => receiver.requests.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 60));
    receiver.dropConnections();
    expect(await posted).toMatchObject({ outcome: { kind: 'retry' }, connection: 1 });
  });

  test.each([500, 502, 503, 504])('stays open after a proxy’s %d, which is a sign of a restart', async (status) => {
    await post();
    receiver.setFaults({ status, count: 1 });
    expect((await post()).connection).toBe(1);
    expect([signs, (await post()).connection]).toEqual([[{ kind: 'proxy error' }], 1]);
  });

  test.each([429, 400, 200])('stays open after a %d, which is no sign of a restart', async (status) => {
    receiver.setFaults({ status, count: 1 });
    await post();
    expect(signs).toEqual([]);
  });

  test('is refused where nothing listens, which is a sign of a restart', async () => {
    await receiver.stop();
    await post();
    expect(signs).toEqual([{ kind: 'connection refused' }]);
  });

  test('is checked by a request without a body, which returns its number (A-13)', async () => {
    await post();
    expect(await remote.checkReceiver(never)).toEqual({ connection: 1, isClosing: false, isReceiver: true });
    expect(receiver.requests.at(-1)).toMatchObject({ method: 'HEAD', path: '/health', connection: 1 });
  });

  test('has a number of its own if the check has to open it', async () => {
    await post();
    receiver.dropConnections();
    await until('the end is noticed', () => signs.length > 0);
    expect(await remote.checkReceiver(never)).toMatchObject({ connection: 2 });
  });

  test('is there, but proves nothing of the receiver, if a proxy without a path /health responds 404', async () => {
    receiver.setFaults({ status: 404, alsoHealth: true });
    expect(await remote.checkReceiver(never)).toMatchObject({ connection: 1, isReceiver: false });
  });

  test('proves nothing of a receiver whose responses have another header than the one to the check', async () => {
    receiver.setFaults({ headers: { 'X-Server-Hostname': 'vm-1' } });
    await post();
    receiver.setFaults([]);
    expect(await remote.checkReceiver(never)).toMatchObject({ isReceiver: false });
    await post();
    expect(await remote.checkReceiver(never)).toMatchObject({ isReceiver: true });
  });

  test('fails the check if the receiver is gone or responds 5xx', async () => {
    await post();
    receiver.setFaults({ status: 503, alsoHealth: true });
    expect(await remote.checkReceiver(never)).toBeUndefined();
    await receiver.stop();
    expect(await remote.checkReceiver(never)).toBeUndefined();
  });
});

test('an empty 200 delivers nothing without the header that the receiver’s responses had', async () => {
  receiver.setFaults({ status: 200, body: '' });
  expect((await post()).outcome.kind).toBe('delivered');
  receiver.setFaults({ headers: { 'X-Server-Hostname': 'vm-1' } });
  expect((await post()).outcome.kind).toBe('delivered');
  receiver.setFaults({ status: 200, body: '' });
  expect((await post()).outcome.kind).toBe('retry');
  receiver.setFaults([]);
  expect((await post()).outcome.kind).toBe('delivered');
});

test('an empty 200 of a proxy delivers nothing until the receiver has responded with 204', async () => {
  const ofProxy = { status: 200, body: '', headers: { 'Content-Type': 'application/octet-stream' } };
  receiver.setFaults(ofProxy);
  expect((await post()).outcome.kind).toBe('retry');
  receiver.setFaults([]);
  expect((await post()).outcome.kind).toBe('delivered');
  receiver.setFaults(ofProxy);
  expect((await post()).outcome.kind).toBe('delivered');
});

test('credentials in the URL: are sent, and are in no endpoint or reason', async () => {
  connect({ remoteUrl: `${receiver.url.replace('//', '//ann:s3cret@')}/api/v1/import?key=s3cret` });
  const taken = await post();
  await receiver.stop();
  const failed = await post();
  expect(receiver.requests[0]!.headers['authorization']).toBe(`Basic ${Buffer.from('ann:s3cret').toString('base64')}`);
  expect(JSON.stringify([taken, failed])).not.toContain('s3cret');
});

test('receiver’s Date: is requested over a connection of its own', async () => {
  receiver.setFaults({ dateSkewMs: -3_600_000 });
  await post();
  const { date, isReceivers } = await remote.requestDate(`${receiver.url}/health`, never);
  expect(Math.abs(Date.parse(date!) - (Date.now() - 3_600_000))).toBeLessThan(5_000);
  expect(isReceivers).toBe(false);
  expect(receiver.requests.map(({ method, connection }) => [method, connection])).toEqual([
    ['POST', 1],
    ['HEAD', 2],
  ]);
});
