import { createServer as createHttpServer } from 'node:http';
import { createServer, isIP, type AddressInfo, type LookupFunction, type Server } from 'node:net';

import { afterEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { isRefused, toFailureReason } from '../../../../uploader/src/transport/failure-reasons.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import type { SendResult } from '../../../../uploader/src/transport/transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server that answers each connection's first bytes with a text. */
function answering(text: string): Server {
  return createServer((socket) => {
    ends.push(() => socket.destroy());
    socket.on('error', () => undefined).once('data', () => socket.write(text));
  });
}

/** A server that repeats a text as fast as it is read. */
function repeating(text: string): Server {
  return createServer((socket) => {
    ends.push(() => socket.destroy());
    const repeat = (): void => void (socket.write(text) ? setImmediate(repeat) : socket.once('drain', repeat));
    socket.on('error', () => undefined).once('data', repeat);
  });
}

async function post(remoteUrl: string, remoteTimeoutMs = 2_000, lookup?: LookupFunction): Promise<SendResult> {
  const options = { ...directConnection, clock: systemClock, protocol: new VictoriaMetricsProtocol() };
  const transport = new HttpTransport({ ...options, remoteUrl, remoteTimeoutMs, lookup });
  ends.push(() => transport.close());
  return transport.send(madeChunk(3), new AbortController().signal);
}

async function reasonOf(server: Server, scheme = 'http'): Promise<string> {
  const { outcome } = await post(`${scheme}://127.0.0.1:${await listen(server)}/api/v1/import`);
  expect(outcome.kind).toBe('retry');
  return 'reason' in outcome ? outcome.reason : '';
}

describe('failure reason: says what it means and what to check of', () => {
  test('a port without TLS, without the source files of OpenSSL', async () => {
    const reason = await reasonOf(answering('HTTP/1.1 400 Bad Request\r\n\r\n'), 'https');
    expect(reason).toContain('the port does not speak TLS; use http://');
    expect(reason).not.toMatch(/\.c:|:SSL routines:/);
  });

  test('a receiver that speaks an old TLS only, with the reason of OpenSSL', async () => {
    // An alert of TLS 1.2: protocol version.
    const alert = Buffer.from([0x15, 3, 3, 0, 2, 2, 70]);
    const server = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(alert)));
    expect(await reasonOf(server, 'https')).toMatch(
      /^no TLS connection could be agreed on; .* \(EPROTO: tlsv1 alert protocol version\)$/,
    );
  });

  test('a port that speaks TLS, by the alert that it sends', async () => {
    const alert = Buffer.from([0x15, 3, 1, 0, 2, 2, 70]);
    const server = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(alert)));
    expect(await reasonOf(server)).toMatch(/^the port speaks TLS; use https:\/\/ in THUGSHELLS_REMOTE_URL \(/);
  });

  test('a response that is not HTTP', async () => {
    expect(await reasonOf(answering('SSH-2.0-OpenSSH_9.2\r\n'))).toContain('the response is not HTTP');
  });

  test('an address at which nothing listens', async () => {
    const port = await listen(createServer());
    ends.pop()!();
    const { outcome, errorCode } = await post(`http://127.0.0.1:${port}/`);
    expect(outcome).toMatchObject({ reason: expect.stringContaining('nothing listens at this address') });
    expect(errorCode).toBe('ECONNREFUSED');
  });

  test.each([
    ['CERT_NOT_YET_VALID', /not valid yet by the clock of this device; set the clock/],
    ['CERT_HAS_EXPIRED', /has expired by the clock of this device/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /THUGSHELLS_REMOTE_CA_FILE/],
    ['ENOTFOUND', /name is not known/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /requires another certificate .*THUGSHELLS_REMOTE_CERT_FILE/],
    ['EAI_AGAIN', /name server does not respond/],
  ])('%s', (code, expected) => {
    const reason = toFailureReason(Object.assign(new Error('in its own words'), { code }));
    expect(reason).toMatch(expected);
    expect(reason).toContain('in its own words');
  });

  test('a host with several addresses, each of which fails in its own way', async () => {
    const port = await listen(createServer());
    ends.pop()!();
    const addresses = ['127.0.0.1', '::1', '255.255.255.255'].map((address) => ({ address, family: isIP(address) }));
    const lookup = ((_host: string, _options: unknown, done: (...found: unknown[]) => void) =>
      done(null, addresses)) as LookupFunction;
    const { outcome } = await post(`http://receiver.test:${port}/`, 2_000, lookup);
    expect(outcome).toEqual({
      kind: 'retry',
      reason: `127.0.0.1:${port}: nothing listens at this address, [::1]:${port}: nothing listens at this address, 255.255.255.255:${port}: there is no route to the receiver; start the receiver, or check THUGSHELLS_REMOTE_URL; check the network`,
    });
  });

  test.each(['http', 'https'])('a proxy at whose address nothing listens, for %s', async (scheme) => {
    const port = await listen(createServer());
    ends.pop()!();
    const options = { ...directConnection, clock: systemClock, protocol: new VictoriaMetricsProtocol() };
    const proxyFor = (): string => `http://127.0.0.1:${port}`;
    const remoteUrl = `${scheme}://receiver.test/api/v1/import`;
    const transport = new HttpTransport({ ...options, remoteUrl, remoteTimeoutMs: 2_000, proxyFor });
    const signs: string[] = [];
    transport.onRestartSign(({ kind }) => signs.push(kind));
    const { outcome } = await transport.send(madeChunk(3), new AbortController().signal);
    expect(outcome).toMatchObject({
      reason: expect.stringMatching(/^nothing listens at the address of the proxy; check/),
    });
    expect(signs).not.toContain('connection refused');
  });

  test('an error that is not known: its own words', () => {
    expect(toFailureReason(new Error('something else'))).toBe('something else');
  });
});

test.each([
  [['ECONNREFUSED', 'ECONNREFUSED'], true],
  [['ECONNREFUSED', 'ETIMEDOUT'], false],
  [['ECONNREFUSED', 'EHOSTUNREACH'], false],
])('a host with addresses that fail by %j has refused the connection: %s', (codes, expected) => {
  const errors = codes.map((code) => Object.assign(new Error(code), { code }));
  const first = Object.assign(new AggregateError(errors), { code: codes[0] });
  expect(isRefused(Object.assign(new Error('of got', { cause: first }), { code: codes[0] }))).toBe(expected);
});

describe('transport: a request ends in time, with a reason, if the receiver', () => {
  test('switches to another protocol', async () => {
    const started = performance.now();
    const reason = await reasonOf(
      answering('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n'),
    );
    expect(reason).toBe('HTTP 101 from something that is no receiver: it switches to another protocol');
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('sends interim responses without end', async () => {
    expect(await reasonOf(repeating('HTTP/1.1 100 Continue\r\n\r\n'))).toBe(
      'more than 16 interim responses and no final one',
    );
  });

  test('sends nothing', async () => {
    expect(await reasonOf(answering(''))).toContain('no response in time');
  });
});

test.each([
  [400, 'rejected'],
  [401, 'hold'],
  [503, 'retry'],
  [200, 'retry'],
])('transport: the status %d decides, however long its page is', async (status, kind) => {
  const server = createHttpServer((request, response) => {
    request.resume();
    response.writeHead(status).end('x'.repeat(200_000));
  });
  const { outcome } = await post(`http://127.0.0.1:${await listen(server)}/`);
  expect(outcome).toMatchObject({ kind, reason: expect.stringContaining('longer than 65536 bytes') });
});

describe('transport: the status decides although the response', () => {
  const begun = (status: number): string => `HTTP/1.1 ${status} Status\r\nContent-Length: 100\r\n\r\nbad sample`;
  const statuses: [number, string][] = [
    [400, 'rejected'],
    [413, 'rejected'],
    [401, 'hold'],
    [503, 'retry'],
    [200, 'retry'],
  ];

  test.each(statuses)('breaks off: %d is %s', async (status, kind) => {
    const server = createServer((socket) =>
      socket.once('data', () => socket.write(begun(status), () => setTimeout(() => socket.resetAndDestroy(), 20))),
    );
    const result = await post(`http://127.0.0.1:${await listen(server)}/`);
    expect([result.outcome.kind, result.status]).toEqual([kind, status === 200 ? undefined : status]);
    expect(result.outcome).toMatchObject({ reason: expect.stringContaining('connection was closed') });
  });

  test.each(statuses)('never ends: %d is %s', async (status, kind) => {
    const result = await post(`http://127.0.0.1:${await listen(answering(begun(status)))}/`, 300);
    expect([result.outcome.kind, result.status]).toEqual([kind, status === 200 ? undefined : status]);
  });
});

test.each(['127.0.0.1', '::1'])('transport: localhost reaches a receiver that listens at %s only', async (host) => {
  const server = createHttpServer((request, response) => {
    request.resume();
    response.writeHead(204).end();
  });
  const { outcome } = await post(`http://localhost:${await listen(server, host)}/`);
  expect(outcome.kind).toBe('delivered');
});
