import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { MetricsExposition } from '../../../../uploader/src/http/metrics.ts';
import { StatusServer } from '../../../../uploader/src/http/server.ts';
import { until } from '../../../support/until.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { LIMITS, snapshot } from '../../../support/uploader/made-snapshot.ts';

let statusServer: StatusServer;
let port: number;
const clients = new Set<Client>();

/** A client that speaks for itself. */
class Client {
  readonly #socket: Socket;
  received = '';
  isClosed = false;

  constructor() {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('data', (part) => (this.received += part.toString()));
    this.#socket.on('close', () => (this.isClosed = true));
    this.#socket.on('error', () => undefined);
    clients.add(this);
  }

  say(text: string): void {
    if (!this.#socket.destroyed) this.#socket.write(text);
  }

  leave(): void {
    this.#socket.destroy();
  }
}

beforeEach(async () => {
  const logger = new LogRecord();
  const snapshots = { take: () => snapshot() };
  const monitor = new HealthMonitor({
    logger,
    snapshots,
    limits: LIMITS,
    version: '1',
    deviceId: 'b',
    configurationWarnings: [],
  });
  statusServer = new StatusServer({
    logger,
    monitor,
    history: { read: async () => '', readDevice: async () => undefined },
    metrics: async () => new MetricsExposition({ deviceId: 'b' }, snapshots, (taken) => monitor.judgement(taken)),
    statusKey: 'key',
    isLive: () => true,
  });
  port = await statusServer.listen('127.0.0.1', 0);
});
afterEach(async () => {
  for (const client of clients) client.leave();
  clients.clear();
  await statusServer.close();
});

async function health(): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } })).status;
}

test('status server: a request that never ends is disconnected after seconds, and others are served meanwhile', async () => {
  const slow = new Client();
  const begun = performance.now();
  slow.say('GET / HTTP/1.1\r\nHost: localhost\r\n');
  for (let header = 0; !slow.isClosed && performance.now() - begun < 15_000; header++) {
    slow.say(`x-${header}: 1\r\n`);
    expect(await health()).toBe(200);
    await delay(200);
  }
  expect([slow.isClosed, slow.received]).toEqual([true, expect.stringMatching(/^(HTTP\/1\.1 408 .*)?/s)]);
}, 30_000);

test('status server: 200 clients that hold connections open do not keep a newer one out', async () => {
  const crowd = Array.from({ length: 200 }, () => new Client());
  for (const client of crowd) client.say('GET / HTTP/1.1\r\n');
  await until('the first ones have had to go', () => crowd.filter(({ isClosed }) => isClosed).length >= 136);
  expect(await health()).toBe(200);
  expect(crowd.filter(({ isClosed }) => !isClosed).length).toBeLessThanOrEqual(64);
});

test('status server: a megabyte of headers is rejected after the first kilobytes', async () => {
  const greedy = new Client();
  greedy.say(`GET /health HTTP/1.1\r\nHost: localhost\r\nx: ${'a'.repeat(1024 ** 2)}\r\n\r\n`);
  await until('it is cut off', () => greedy.isClosed);
  expect(greedy.received).toMatch(/^HTTP\/1\.1 431 /);
  expect(await health()).toBe(200);
});

test('status server: a request with a body gets a response before the body ends, and is disconnected', async () => {
  const talker = new Client();
  talker.say('GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nbegin');
  await until('it is cut off', () => talker.isClosed);
  expect(talker.received).toMatch(/^HTTP\/1\.1 413 /);
});

test('status server: a client that is idle after its response is disconnected', async () => {
  const idle = new Client();
  idle.say('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until('it is answered', () => idle.received.includes('HTTP/1.1 200'));
  await until('it is let go', () => idle.isClosed, 20_000);
}, 30_000);

test('status server: a request that is not HTTP gets 400', async () => {
  const stranger = new Client();
  stranger.say('\x16\x03\x01\x02\x00\x01\r\n\r\n');
  await until('it is cut off', () => stranger.isClosed);
  expect(stranger.received).toMatch(/^HTTP\/1\.1 400 /);
});
