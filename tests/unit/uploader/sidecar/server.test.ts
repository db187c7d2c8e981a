import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { HealthMonitor } from '../../../../uploader/src/sidecar/health-monitor.js';
import { Metrics } from '../../../../uploader/src/sidecar/metrics.js';
import { listenOrTell, Sidecar } from '../../../../uploader/src/sidecar/server.js';
import type { Snapshot, Snapshots } from '../../../../uploader/src/sidecar/snapshot.js';
import { LogRecord } from '../log-record.js';
import { LIMITS, snapshot } from './made-snapshot.js';

let box: () => Snapshot;
let live: boolean;
let log: LogRecord;
let sidecar: Sidecar;
let origin: string;

beforeEach(async () => {
  box = () => snapshot();
  live = true;
  log = new LogRecord();
  const snapshots = { take: () => box() } as Snapshots;
  const monitor = new HealthMonitor({ logger: log, snapshots, limits: LIMITS, version: '1.2.3', deviceId: 'board-1', configurationWarnings: [] });
  sidecar = new Sidecar({ logger: log, monitor, metrics: new Metrics('board-1', snapshots), isLive: () => live });
  origin = `http://127.0.0.1:${await sidecar.listen('127.0.0.1', 0)}`;
});
afterEach(() => sidecar.close());

async function statusOf(path: string, method = 'GET'): Promise<number> {
  const response = await fetch(origin + path, { method });
  await response.arrayBuffer();
  return response.status;
}

describe('health', () => {
  test.each<[string, Partial<Snapshot>, number[]]>([
    ['ok', {}, [200, 200]],
    ['degraded', { skewMs: 60_000 }, [200, 503]],
    ['in error', { collectors: [] }, [503, 503]],
  ])('of a box that is %s answers /health and /health/ready accordingly', async (_, changes, statuses) => {
    box = () => snapshot(changes);
    expect([await statusOf('/health'), await statusOf('/health/ready')]).toEqual(statuses);
  });

  test('is the report as JSON', async () => {
    const response = await fetch(`${origin}/health`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ status: 'ok', version: '1.2.3', device_id: 'board-1', components: { uploader: { status: 'ok' } } });
  });

  test('of the process is whether it makes progress, whatever the box is', async () => {
    box = () => snapshot({ collectors: [] });
    expect(await statusOf('/health/live')).toBe(200);
    live = false;
    const response = await fetch(`${origin}/health/live`);
    expect([response.status, await response.json()]).toEqual([503, { live: false }]);
  });

  test('may be asked with a query', async () => {
    expect(await statusOf('/health?verbose=1')).toBe(200);
  });
});

test('metrics are Prometheus’ text', async () => {
  const response = await fetch(`${origin}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toContain('storage_metrics_pending_upload{device_id="board-1"} 10');
});

test('the first page is the status page', async () => {
  const response = await fetch(origin);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(await response.text()).toContain('board-1 is <span class="ok">ok</span>');
});

describe('what is not there', () => {
  test.each(['/nothing', '/health/', '//health', '/__proto__', '/constructor', '/metrics/../x'])('such as %s answers 404', async (path) => {
    expect(await statusOf(path)).toBe(404);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('such as a way to %s answers 405', async (method) => {
    expect(await statusOf('/health', method)).toBe(405);
  });

  test('is told with what there is', async () => {
    expect(await (await fetch(`${origin}/nothing`)).text()).toContain('/health/ready');
  });
});

test.each(['/', '/health', '/metrics', '/health/live'])('HEAD of %s has the status and type of GET, and no body', async (path) => {
  const [head, get] = await Promise.all([fetch(origin + path, { method: 'HEAD' }), fetch(origin + path)]);
  expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([get.status, get.headers.get('content-type'), '']);
  expect(await get.text()).not.toBe('');
});

test.each(['/', '/health', '/metrics'])('%s answers 503 where the report cannot be made, tells no one why, and logs it', async (path) => {
  box = () => {
    throw new Error('database disk image is malformed');
  };
  const response = await fetch(origin + path);
  expect([response.status, await response.text()]).toEqual([503, expect.not.stringContaining('malformed')]);
  expect(log.lines).toMatchObject([{ level: 'error', message: 'a page could not be made', fields: { path, error: 'database disk image is malformed' } }]);
});

describe('a port', () => {
  let other: Server;
  beforeEach(async () => {
    other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => other.close(resolve)));

  test('that is taken is an error in the log, and nothing else', async () => {
    await sidecar.close();
    const { port } = other.address() as AddressInfo;
    await listenOrTell(sidecar, log, '127.0.0.1', port);
    expect(log.lines).toMatchObject([{ level: 'error', fields: { endpoint: `http://127.0.0.1:${port}/`, error_code: 'EADDRINUSE' } }]);
  });
});

test('an end closes connections that are open', async () => {
  await statusOf('/health');
  await sidecar.close();
  await sidecar.close();
  await expect(fetch(`${origin}/health`)).rejects.toThrow();
});
