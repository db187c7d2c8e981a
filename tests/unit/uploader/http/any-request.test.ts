import { connect } from 'node:net';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { MetricsExposition } from '../../../../uploader/src/http/metrics.ts';
import { StatusServer } from '../../../../uploader/src/http/server.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { LIMITS, snapshot } from '../../../support/uploader/made-snapshot.ts';

const DEVICE = 'board-that-nobody-else-may-see';
let log: LogRecord;
let statusServer: StatusServer;
let port: number;

beforeEach(async () => {
  log = new LogRecord();
  const snapshots = { take: () => snapshot() };
  const monitor = new HealthMonitor({
    logger: log,
    snapshots,
    limits: LIMITS,
    version: '1',
    deviceId: DEVICE,
    configurationWarnings: [],
  });
  statusServer = new StatusServer({
    logger: log,
    monitor,
    history: { read: async () => '{}', readDevice: async () => undefined },
    metrics: async () => new MetricsExposition({ deviceId: DEVICE }, snapshots, (taken) => monitor.judgement(taken)),
    statusKey: 'key',
    isLive: () => true,
  });
  port = await statusServer.listen('127.0.0.1', 0);
});
afterEach(() => statusServer.close());

/** What comes back for these bytes, until the server has closed or has been silent for a moment: half a request gets no answer. */
async function answerTo(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const parts: Buffer[] = [];
    socket.on('data', (part) => parts.push(part)).on('error', () => undefined);
    socket.setTimeout(100, () => socket.destroy());
    socket.once('close', () => resolve(Buffer.concat(parts).toString('latin1')));
  });
}

const PATHS = ['/', '/health', '/health/ready', '/health/live', '/metrics', '/status.json', '/history.json'];
const paths = fc.oneof(
  fc.constantFrom(
    ...PATHS,
    '/health?x=1',
    '/assets/',
    '/../etc/passwd',
    '/assets/../../package.json',
    '/%2e%2e/%00',
    '//',
    '/constructor',
    '/__proto__',
    '*',
    'http://127.0.0.1/health',
    '',
  ),
  fc.stringMatching(/^\/[!-~]{0,20}$/),
);
const methods = fc.constantFrom(
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'BREW',
  'get',
  '',
);
const hosts = fc.constantFrom(
  'localhost',
  '127.0.0.1',
  '[::1]',
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'LOCALHOST:9109',
  ':',
  '',
);
const header = fc.oneof(
  fc.constantFrom(
    'Content-Length: 5',
    'Content-Length: 99999999999',
    'Content-Length: -1',
    'Transfer-Encoding: chunked',
    'Expect: 100-continue',
    'Upgrade: websocket',
    'Connection: upgrade',
    'Range: bytes=0-1',
    'Accept: text/html',
    'Host: evil.example',
  ),
  fc
    .tuple(fc.stringMatching(/^[A-Za-z-]{1,12}$/), fc.string({ unit: 'binary', maxLength: 20 }))
    .map((parts) => parts.join(': ')),
);
const requests = fc.record({
  method: methods,
  path: paths,
  host: hosts,
  headers: fc.array(header, { maxLength: 3 }),
  body: fc.constantFrom('', '', 'hello', '5\r\nhello\r\n0\r\n\r\n'),
});
const plain = { method: 'GET', path: '/health', host: 'localhost', headers: [] as string[], body: '' };
/** One of each usual answer, also where a slow machine leaves time for few others. */
const examples = [
  plain,
  { ...plain, path: '/nothing' },
  { ...plain, method: 'PUT' },
  { ...plain, host: 'evil.example' },
].map((one): [typeof plain] => [one]);

function isOwnName(host: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST:9109'].includes(host);
}

test('status server: any request gets an HTTP response that is no server error, and a foreign host name gets no data', async () => {
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, path, host, headers, body }) => {
      const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers].join('\r\n');
      const answer = await answerTo(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1'));
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      // The device is ok, so every error is the client's. 0: disconnected without a response, as CONNECT is.
      expect([0, 100, 200, 400, 404, 405, 408, 413, 417, 421, 431]).toContain(status);
      if (status === 200) expect(['GET', 'HEAD']).toContain(method);
      if (!isOwnName(host)) expect(answer).not.toContain(DEVICE);
      if (method === 'HEAD' && status === 200) expect(answer.split('\r\n\r\n').slice(1).join('')).toBe('');
    }),
    { numRuns: 400, interruptAfterTimeLimit: 15_000, examples },
  );
  // The usual answers happen, or the property says nothing.
  for (const status of [200, 404, 405, 421]) expect([status, seen.has(status)]).toEqual([status, true]);
  expect(log.messages('error', 'warn')).toEqual([]);
  expect(await answerTo(Buffer.from('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))).toContain(
    DEVICE,
  );
});

test('status server: bytes that are no HTTP request get an error or are disconnected, and the next request is served', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      expect(await answerTo(Buffer.concat([bytes, Buffer.from('\r\n\r\n')]))).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    }),
    { numRuns: 150, interruptAfterTimeLimit: 10_000 },
  );
  expect(log.messages('error', 'warn')).toEqual([]);
  expect(await answerTo(Buffer.from('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))).toContain(
    DEVICE,
  );
});
