import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterEach, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import type { RestartSign } from '../../../../uploader/src/queue/restart-signs.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';
import { until } from '../../../support/until.ts';

const never = new AbortController().signal;
let server: Server;
let remote: HttpTransport;
let signs: RestartSign[];
/** The first line and the Connection header of each request. */
let requests: string[];

afterEach(async () => {
  remote.close();
  await new Promise((resolve) => server.close(resolve));
});

/** A server over plain sockets; `respond` gets each request, which a client sends as a whole. */
async function serve(respond: (socket: Socket, request: string) => void, prefix = ''): Promise<void> {
  const seen: string[] = (requests = []);
  server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (part: Buffer) => {
      const request = part.toString('latin1');
      if (!/^[A-Z]+ \S+ HTTP/.test(request)) return;
      seen.push(`${request.split('\r\n')[0]} ${/connection: (\S+)/i.exec(request)?.[1]}`);
      respond(socket, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own: RestartSign[] = (signs = []);
  remote = new HttpTransport({
    protocol: new VictoriaMetricsProtocol(),
    clock: systemClock,
    remoteUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}/api/v1/import`,
    remoteTimeoutMs: 5_000,
    ...directConnection,
  });
  remote.onRestartSign((sign) => own.push(sign));
}

/** Posts a chunk, and waits until its connection has ended. */
async function postAndEnd() {
  const before = signs.length;
  const result = await remote.send(madeChunk(1), never);
  await until('the end is noticed', () => signs.length > before);
  return result;
}

test.each([
  ['HTTP/1.0', 'HTTP/1.0 204 No Content\r\n\r\n'],
  ['close in the list of Connection', 'HTTP/1.1 204 No Content\r\nConnection: x, Close\r\n\r\n'],
  ['an idle timeout of a second', 'HTTP/1.1 204 No Content\r\nKeep-Alive: max=9, timeout=1\r\n\r\n'],
])('connection watch: an end that the response announces is no sign of a restart: %s', async (_, response) => {
  await serve(
    (socket) => setTimeout(() => socket.end(), response.includes('timeout') ? 400 : 0) && socket.write(response),
  );
  expect((await postAndEnd()).outcome.kind).toBe('delivered');
  expect(signs).toMatchObject([{ kind: 'connection ended', isAnnounced: true }]);
});

test('connection watch: HTTP/1.0 with keep-alive keeps the connection', async () => {
  await serve((socket) => socket.write('HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n'));
  const posts = [await remote.send(madeChunk(1), never), await remote.send(madeChunk(1), never)];
  expect(posts.map(({ connection, isClosing }) => [connection, isClosing])).toEqual([
    [1, false],
    [1, false],
  ]);
});

test('connection watch: a HEAD response without a length, after which this side closes, is no sign', async () => {
  await serve((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
  await remote.checkReceiver(never);
  await until('the end is noticed', () => signs.length > 0);
  expect(signs).toMatchObject([{ isAnnounced: true }]);
});

test('connection watch: on a path that closes after each response without announcing it, requests ask for a close', async () => {
  await serve((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
  for (let post = 0; post < 5; post++) await postAndEnd();
  expect(requests.map((request) => request.split(' ').at(-1))).toEqual([
    ...Array<string>(2).fill('keep-alive'),
    ...Array<string>(3).fill('close'),
  ]);
  expect(signs.map((sign) => sign.kind === 'connection ended' && sign.isAnnounced)).toEqual([
    ...Array<boolean>(2).fill(false),
    ...Array<boolean>(3).fill(true),
  ]);
});

test('connection watch: a path that keeps connections again is found by one request in a hundred', async () => {
  let closes = true;
  await serve((socket) => {
    socket.write('HTTP/1.1 204 No Content\r\n\r\n');
    if (closes) socket.end();
  });
  for (let post = 0; post < 2; post++) await postAndEnd();
  closes = false;
  for (let post = 0; post < 103; post++) await remote.send(madeChunk(1), never);
  const kept = requests.slice(2).map((request) => request.endsWith('keep-alive'));
  expect([kept.indexOf(true), kept.slice(kept.indexOf(true)).every((isKept) => isKept)]).toEqual([100, true]);
});

test('connection watch: an error of a proxy is a sign although its connection is reset at once', async () => {
  await serve((socket) => {
    socket.write('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\nshort');
    setTimeout(() => socket.resetAndDestroy(), 50);
  });
  await remote.send(madeChunk(1), never);
  expect(signs).toContainEqual({ kind: 'proxy error' });
});

test('start time: is asked beside the import path, gzipped, and is the time of the answer less the uptime', async () => {
  const body = gzipSync('vm_data_size_bytes{type="storage/big"} 0\nvm_app_uptime_seconds 60\n');
  await serve((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
  }, '/vm');
  const answer = await remote.askStartTime(never);
  const nowMs = systemClock.sinceBoot();
  expect(requests).toEqual(['GET /vm/metrics HTTP/1.1 keep-alive']);
  expect(answer).toMatchObject({ kind: 'started', connection: 1 });
  const { earliestMs, latestMs } = answer as { earliestMs: number; latestMs: number };
  expect(Math.abs(nowMs - 60_000 - latestMs)).toBeLessThan(2_000);
  expect(latestMs - earliestMs).toBeGreaterThanOrEqual(3_000);
});

test.each([
  [
    '404 of a proxy',
    'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\npage',
    'unreadable',
  ],
  ['a receiver without it', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nup 1', 'unreadable'],
  ['a portal’s page', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\npage', 'unanswered'],
  ['a portal’s redirect', 'HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n', 'unanswered'],
  ['502 of a proxy', 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n', 'unanswered'],
  ['429 of a proxy', 'HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n', 'unanswered'],
])('start time: is unknown after %s', async (_, response, kind) => {
  await serve((socket) => socket.write(response));
  expect(await remote.askStartTime(never)).toEqual({ kind });
});
