import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { listenWithRetry } from '../../../../uploader/src/http/listen.ts';
import { findPortOwner } from '../../../../uploader/src/http/port-owner.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

let log: LogRecord;
let clock: FakeClock;
let other: Server;
let port: number;
let stop: AbortController;

beforeEach(async () => {
  stop = new AbortController();
  log = new LogRecord();
  clock = new FakeClock();
  other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  ({ port } = other.address() as AddressInfo);
});
afterEach(() => {
  stop.abort();
  other.close();
});

/** Listens as the sidecar does. */
function statusServer(): { listen(host: string, port: number): Promise<number>; close(): void } {
  const server = createServer();
  return {
    listen: (host, wanted) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(wanted, host, () => resolve((server.address() as AddressInfo).port));
      }),
    close: () => server.close(),
  };
}

test('findPortOwner: finds the process in the kernel’s tables', () => {
  expect(findPortOwner(port)).toMatch(new RegExp(`^.+ \\(pid ${process.pid}\\)$`));
  expect(findPortOwner(1)).toBeUndefined();
});

test('listen: listens on a free port and reports the URL', async () => {
  const endpoints: string[] = [];
  const own = statusServer();
  await listenWithRetry(
    { statusServer: own, clock, logger: log, healthHost: '127.0.0.1', healthPort: 0 },
    stop.signal,
    (endpoint) => void endpoints.push(endpoint),
  );
  expect(endpoints).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/)]);
  expect(log.lines).toMatchObject([{ level: 'info', fields: { endpoint: endpoints[0] } }]);
  own.close();
});

test('listen: logs a port in use once with its owner, and listens once it is free', async () => {
  const endpoints: string[] = [];
  const own = statusServer();
  await listenWithRetry(
    { statusServer: own, clock, logger: log, healthHost: '127.0.0.1', healthPort: port },
    stop.signal,
    (endpoint) => void endpoints.push(endpoint),
  );
  expect(log.lines).toMatchObject([
    {
      level: 'error',
      fields: {
        endpoint: `http://127.0.0.1:${port}/`,
        error_code: 'EADDRINUSE',
        holder: expect.stringContaining(`(pid ${process.pid})`),
        hint: expect.stringContaining('THUGSHELLS_HEALTH_PORT'),
      },
    },
  ]);
  await clock.advance(30_000);
  expect([log.lines.length, endpoints]).toEqual([1, []]);
  await new Promise((resolve) => other.close(resolve));
  for (let turn = 0; endpoints.length === 0 && turn < 100; turn++) {
    await clock.advance(30_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(endpoints).toEqual([`http://127.0.0.1:${port}/`]);
  own.close();
});
