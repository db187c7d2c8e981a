import { connect } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { StatusServer } from '../../../../uploader/src/http/server.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { LIMITS, snapshot } from '../../../support/uploader/made-snapshot.ts';

let statusServer: StatusServer;
let port: number;
let built: number;
/** Resolves the responses of /history.json. */
let finish: (() => void)[];

beforeEach(async () => {
  built = 0;
  finish = [];
  const logger = new LogRecord();
  const identity = { version: '1', deviceId: 'b', configurationWarnings: [] };
  const snapshots = { take: () => snapshot() };
  statusServer = new StatusServer({
    logger,
    monitor: new HealthMonitor({ logger, snapshots, limits: LIMITS, ...identity }),
    history: {
      readDevice: async () => undefined,
      read: () => {
        built += 1;
        return new Promise((resolve) => finish.push(() => resolve('{}')));
      },
    },
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      text: async () => ((built += 1), 'metrics'),
    }),
    statusKey: 'key',
    isLive: () => true,
  });
  port = await statusServer.listen('127.0.0.1', 0);
});
afterEach(() => statusServer.close());

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');

/** Sends pieces, one after the other, and returns the statuses of what came back until the server closed. */
function exchange(pieces: readonly string[], end = false): Promise<{ statuses: number[]; text: string }> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      for (const piece of pieces) socket.write(piece);
      if (end) socket.end();
    });
    socket.setNoDelay(true);
    socket.setEncoding('latin1').on('data', (part: string) => (text += part));
    socket.on('error', () => undefined);
    socket.once('end', () => socket.end());
    socket.once('close', () =>
      resolve({ statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)), text }),
    );
  });
}

describe('status server: a client that does not wait for a response', () => {
  test.each([
    ['GET', get('/metrics')],
    ['GET with Expect: 100-continue', get('/metrics', 'Expect: 100-continue')],
    ['GET with another expectation', get('/metrics', 'Expect: tea')],
    ['GET with Upgrade', get('/metrics', 'Connection: upgrade', 'Upgrade: websocket')],
    ['HEAD', get('/metrics').replace('GET', 'HEAD')],
  ])('gets that one only, and its connection is closed (2000 × %s)', async (_, request) => {
    const { statuses } = await exchange([request.repeat(2000)]);
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(built).toBe(1);
  });

  test('gets the whole response to the first of two requests, with Connection: close', async () => {
    const { statuses, text } = await exchange([get('/metrics') + get('/metrics')]);
    expect([statuses, built]).toEqual([[200], 1]);
    expect(text).toMatch(/\r\nconnection: close\r\n.*\r\n\r\nmetrics$/is);
  });

  test('costs no more while the response takes long', async () => {
    const answered = exchange([get('/history.json'), ...Array.from({ length: 50 }, () => get('/metrics').repeat(40))]);
    await expect(fetch(`http://127.0.0.1:${port}/health`).then(({ status }) => status)).resolves.toBe(200);
    finish[0]!();
    expect((await answered).statuses.length).toBeLessThanOrEqual(1);
    expect(built).toBe(1);
  });
});

describe('status server: a client that waits for each response', () => {
  test('keeps its connection, in whatever pieces its requests come', async () => {
    const seen: number[] = [];
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    for (const size of [1, 7, 128, 10_000]) {
      const request = get('/metrics', `X-Filler: ${'x'.repeat(2000)}`);
      for (let at = 0; at < request.length; at += size) socket.write(request.slice(at, at + size));
      seen.push(
        await new Promise((resolve) => socket.once('data', (part) => resolve(Number(part.toString().slice(9, 12))))),
      );
    }
    socket.destroy();
    expect([seen, built]).toEqual([[200, 200, 200, 200], 4]);
  });

  test('gets its response when it has closed its half', async () => {
    const { statuses, text } = await exchange([get('/metrics')], true);
    expect([statuses, text.endsWith('metrics')]).toEqual([[200], true]);
  });
});
