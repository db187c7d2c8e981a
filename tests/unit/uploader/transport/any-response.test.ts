import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { systemClock } from '@thugshells/shared/clock.ts';

import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';

const SENT = 50;
const chunk = madeChunk(SENT);
const never = new AbortController().signal;

/** What the receiver answers to the next request, byte by byte, before it closes the connection. */
let answer: Buffer;
let server: Server;
let remote: HttpTransport;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer(answerOnce);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/import`;
  remote = new HttpTransport({
    protocol: new VictoriaMetricsProtocol(),
    clock: systemClock,
    remoteUrl,
    remoteTimeoutMs: 5_000,
    ...directConnection,
  });
});
afterEach(async () => {
  remote.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** Reads a whole request and answers it. */
function answerOnce(socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
  let received = Buffer.alloc(0);
  socket.on('data', (part) => {
    received = Buffer.concat([received, part]);
    const end = received.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(received.toString('latin1'))?.[1] ?? 0);
    if (end !== -1 && received.length >= end + 4 + length) socket.end(answer);
  });
}

const count = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: SENT }), weight: 3 },
  fc.constantFrom(-1, SENT + 1, 2.5, null, '50', 1e300, [SENT]),
);
const rejected = fc.array(fc.record({ index: count, reason: fc.string({ maxLength: 5 }) }, { requiredKeys: [] }), {
  maxLength: 3,
});
const bodies = fc.oneof(
  fc.constantFrom(
    '',
    ' \n',
    '{}',
    '{"error":"no"}',
    '{"status":"success"}',
    '<html>Log in</html>',
    '{"accepted":',
    'null',
    '[]',
  ),
  fc.record({ accepted: count, rejected }, { requiredKeys: ['accepted'] }).map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constant('x'.repeat(100_000)),
);
const statuses = fc.oneof(
  fc.constantFrom(200, 200, 202, 204, 301, 400, 401, 404, 413, 422, 429, 500, 503),
  fc.integer({ min: 200, max: 999 }),
);
const date = fc.constantFrom(
  'Tue, 14 Nov 2023 22:13:20 GMT',
  'today',
  '',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Fri, 31 Dec 9999 23:59:59 GMT',
);
const header = fc.oneof(
  fc.tuple(fc.constant('Retry-After'), fc.oneof(date, fc.constantFrom('7', '-1', '9'.repeat(400), '1.5', 'soon', ''))),
  fc.tuple(fc.constant('Date'), date),
  fc.tuple(fc.constant('Location'), fc.constantFrom('/', 'https://login.example/', 'nowhere', '', ':')),
  fc.tuple(fc.constant('Connection'), fc.constantFrom('close', 'keep-alive', 'upgrade', '')),
  fc.tuple(fc.constant('Content-Encoding'), fc.constantFrom('gzip', 'br', 'x')),
  fc.tuple(
    fc.stringMatching(/^[A-Za-z-]{1,12}$/),
    fc.string({ maxLength: 10 }).filter((value) => !/[\r\n\0]/.test(value)),
  ),
);

/** How the length of a body is told: as it is, not at all, too long, too short, in pieces, or by two that disagree. */
const framing = fc.constantFrom('right', 'right', 'right', 'none', 'long', 'short', 'chunked', 'twice');

function framed(kind: string, body: Buffer): { readonly headers: string[]; readonly body: Buffer } {
  const length = (more: number): string => `Content-Length: ${Math.max(0, body.length + more)}`;
  switch (kind) {
    case 'right':
      return { headers: [length(0)], body };
    case 'long':
      return { headers: [length(7)], body };
    case 'short':
      return { headers: [length(-1)], body };
    case 'twice':
      return { headers: [length(0), length(1)], body };
    case 'chunked':
      return {
        headers: ['Transfer-Encoding: chunked'],
        body: Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]),
      };
    default:
      return { headers: [], body };
  }
}

/** An answer as its status and its bytes. */
function answerOf(
  status: number,
  body: Buffer,
  headers: readonly string[] = [],
  kind = 'right',
): { readonly status: number; readonly bytes: Buffer } {
  const { headers: lengths, body: bytes } = framed(kind, body);
  const head = [`HTTP/1.1 ${status} Whatever`, ...headers, ...lengths].join('\r\n');
  return { status, bytes: Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), bytes]) };
}

const answers = fc
  .record({
    status: statuses,
    headers: fc.array(header, { maxLength: 3 }),
    body: bodies,
    framing,
    gzip: fc.constantFrom(false, false, false, true),
  })
  .map(({ status, headers, body, framing: kind, gzip }) =>
    answerOf(
      status,
      gzip ? gzipSync(body) : Buffer.from(body),
      headers.map(([name, value]) => `${name}: ${value}`),
      kind,
    ),
  );
/** One of each outcome, also where a slow machine leaves time for few others. */
const examples = [
  [204, ''],
  [200, '{"accepted":25}'],
  [400, ''],
  [401, ''],
  [500, ''],
].map(([status, body]): [ReturnType<typeof answerOf>] => [answerOf(Number(status), Buffer.from(String(body)))]);

test('transport: any response has an outcome that accepts no more than was sent and waits no longer than 15 minutes', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(answers, async ({ status, bytes }) => {
      answer = bytes;
      const post = await remote.send(chunk, never);
      const { outcome } = post;
      seen.add(outcome.kind);
      if (outcome.kind === 'delivered' || outcome.kind === 'partial')
        expect([post.status, status < 300]).toEqual([status, true]);
      if (outcome.kind === 'rejected') expect([400, 409, 413, 422]).toContain(post.status);
      if (outcome.kind === 'partial') {
        expect(outcome.accepted + outcome.rejected.length).toBeGreaterThan(0);
        expect(outcome.accepted + outcome.rejected.length).toBeLessThanOrEqual(SENT);
        expect(outcome.rejected.every(({ index }) => Number.isInteger(index) && index >= 0 && index < SENT)).toBe(true);
      }
      if (outcome.kind === 'retry') expect(outcome.retryAfterMs ?? 0).toBeLessThanOrEqual(15 * 60_000);
      if (outcome.kind === 'retry') expect(outcome.retryAfterMs ?? 0).toBeGreaterThanOrEqual(0);
      if ('reason' in outcome) expect(outcome.reason.length).toBeLessThan(1_000);
    }),
    { numRuns: 300, interruptAfterTimeLimit: 15_000, examples },
  );
  // Each of them happens, or the property says nothing.
  expect([...seen].sort()).toEqual(['delivered', 'hold', 'partial', 'rejected', 'retry']);
});

test('transport: bytes that are no HTTP response are an outage, and the next chunk is delivered', async () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        '',
        'HTTP/1.1',
        'HTTP/1.1 204',
        'HTTP/1.1 20x No\r\n\r\n',
        'HTTP/9.9 200 OK\r\n\r\n',
        'HTTP/1.1 100 Continue\r\n\r\n',
        'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n',
      )
      .map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(noise, async (bytes) => {
      answer = bytes;
      expect((await remote.send(chunk, never)).outcome.kind).toBe('retry');
    }),
    { numRuns: 100, interruptAfterTimeLimit: 10_000 },
  );
  answer = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
  expect((await remote.send(chunk, never)).outcome.kind).toBe('delivered');
});
