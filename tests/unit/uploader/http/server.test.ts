import { get } from 'node:http';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { assetPaths } from '../../../../uploader/src/http/page/assets.ts';
import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { MetricsExposition } from '../../../../uploader/src/http/metrics.ts';
import { StatusServer } from '../../../../uploader/src/http/server.ts';
import type { Snapshot, Snapshots } from '../../../../uploader/src/telemetry/snapshot.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { LIMITS, snapshot } from '../../../support/uploader/made-snapshot.ts';

let takeSnapshot: () => Snapshot;
let live: boolean;
let log: LogRecord;
let statusServer: StatusServer;
let origin: string;

beforeEach(async () => {
  takeSnapshot = () => snapshot();
  live = true;
  log = new LogRecord();
  const snapshots: Pick<Snapshots, 'take'> = { take: () => takeSnapshot() };
  const monitor = new HealthMonitor({
    logger: log,
    snapshots,
    limits: LIMITS,
    version: '1.2.3',
    deviceId: 'board-1',
    configurationWarnings: [],
  });
  const history = { read: async () => '{"plots":[]}', readDevice: async () => undefined };
  statusServer = new StatusServer({
    logger: log,
    monitor,
    history,
    metrics: async () => new MetricsExposition({ deviceId: 'board-1' }, snapshots, (taken) => monitor.judgement(taken)),
    statusKey: 'key',
    isLive: () => live,
  });
  origin = `http://127.0.0.1:${await statusServer.listen('127.0.0.1', 0)}`;
});
afterEach(() => statusServer.close());

async function toDeviceStatus(path: string, method = 'GET'): Promise<number> {
  const response = await fetch(origin + path, { method });
  await response.arrayBuffer();
  return response.status;
}

describe('status server: health', () => {
  test.each<[string, Partial<Snapshot>, number[]]>([
    ['ok', {}, [200, 200]],
    ['degraded', { skewMs: 60_000 }, [200, 503]],
    ['in error', { collectors: [] }, [503, 503]],
  ])('sets the status codes of /health and /health/ready if the device is %s (A-37)', async (_, changes, statuses) => {
    takeSnapshot = () => snapshot(changes);
    expect([await toDeviceStatus('/health'), await toDeviceStatus('/health/ready')]).toEqual(statuses);
  });

  test('returns the report as JSON', async () => {
    const response = await fetch(`${origin}/health`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({
      status: 'ok',
      version: '1.2.3',
      device_id: 'board-1',
      components: { uploader: { status: 'ok' } },
    });
  });

  test('/health/live returns whether the upload loop makes progress, whatever the health (A-40)', async () => {
    takeSnapshot = () => snapshot({ collectors: [] });
    expect(await toDeviceStatus('/health/live')).toBe(200);
    live = false;
    const response = await fetch(`${origin}/health/live`);
    expect([response.status, await response.json()]).toEqual([503, { live: false }]);
  });

  test('ignores a query', async () => {
    expect(await toDeviceStatus('/health?verbose=1')).toBe(200);
  });
});

test('status server: /metrics returns Prometheus’ text format', async () => {
  const response = await fetch(`${origin}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toContain('storage_metrics_pending_upload{device_id="board-1"} 10');
});

test('status server: / returns the status page', async () => {
  const response = await fetch(origin);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(await response.text()).toContain('<h1>board-1</h1>');
});

test('status server: /status.json and /history.json return JSON', async () => {
  expect(await (await fetch(`${origin}/status.json`)).json()).toMatchObject({
    status: 'ok',
    device_id: 'board-1',
    books: { collected: 200 },
    uploads: [{ samples: 5 }],
  });
  expect(await (await fetch(`${origin}/history.json`)).json()).toEqual({ plots: [] });
  for (const query of ['hours=2', 'hours=1e1', 'parts=memory', 'parts=cpu,x']) {
    const refused = await fetch(`${origin}/history.json?${query}`);
    expect([query, refused.status]).toEqual([query, 400]);
    expect(await refused.text()).toContain(
      'hours is one of 1, 6, 24, 72; parts is a list of cpu, network, disk, space',
    );
  }
});

test.each(assetPaths)('status server: %s is served', async (path) => {
  const response = await fetch(origin + path);
  expect([response.status, (await response.text()).length]).toEqual([200, expect.any(Number)]);
});

describe('status server: an unknown path or method', () => {
  test.each(['/nothing', '/health/', '//health', '/__proto__', '/constructor', '/metrics/../x'])(
    'such as %s answers 404',
    async (path) => {
      expect(await toDeviceStatus(path)).toBe(404);
    },
  );

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s returns 405', async (method) => {
    expect(await toDeviceStatus('/health', method)).toBe(405);
  });

  test('returns the list of paths', async () => {
    expect(await (await fetch(`${origin}/nothing`)).text()).toContain('/health/ready');
  });
});

test.each(['/', '/health', '/metrics', '/health/live'])(
  'status server: HEAD %s has the status and type of GET, and no body',
  async (path) => {
    const [head, get] = await Promise.all([fetch(origin + path, { method: 'HEAD' }), fetch(origin + path)]);
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      get.status,
      get.headers.get('content-type'),
      '',
    ]);
    expect(await get.text()).not.toBe('');
  },
);

test.each(['/', '/health', '/metrics'])(
  'status server: %s returns 503 without details if the report fails, and logs the cause',
  async (path) => {
    takeSnapshot = () => {
      throw new Error('database disk image is malformed');
    };
    const response = await fetch(origin + path);
    expect([response.status, await response.text()]).toEqual([503, expect.not.stringContaining('malformed')]);
    expect(log.lines).toMatchObject([
      {
        level: 'error',
        message: 'cannot build page',
        fields: { path, error: 'database disk image is malformed' },
      },
    ]);
  },
);

test('status server: /health is a report also while the database cannot be read', async () => {
  takeSnapshot = () => {
    throw new Error('disk I/O error');
  };
  const response = await fetch(`${origin}/health`);
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { status: 'error', components: { storage: { status: 'error', message: expect.stringMatching(/^cannot read/) } } },
  ]);
});

describe('status server: on loopback, a request', () => {
  /** The status that a request for /health gets under a name. */
  function statusUnder(host: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      get(`${origin}/health`, { headers: { host } }, (response) => resolve(response.resume().statusCode)).once(
        'error',
        reject,
      );
    });
  }

  test.each(['localhost', 'localhost:9109', '127.0.0.1:9109', '127.1.2.3', '[::1]:9109', '[::1]', 'LOCALHOST'])(
    'by the name %s is served',
    async (host) => {
      expect(await statusUnder(host)).toBe(200);
    },
  );

  test.each([
    'evil.example',
    'evil.example:9109',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '192.168.1.7:9109',
    '[fe80::1]',
    '1271.0.0.1',
  ])('by the name %s is rejected, because it may be rebound', async (host) => {
    expect(await statusUnder(host)).toBe(421);
  });
});

test('status server: on a network address, any host name is served', async () => {
  await statusServer.close();
  const port = await statusServer.listen('0.0.0.0', 0);
  const status = await new Promise((resolve) =>
    get({ port, host: '127.0.0.1', path: '/health', headers: { host: 'board-1.lan' } }, (response) =>
      resolve(response.resume().statusCode),
    ),
  );
  expect(status).toBe(200);
});

test('status server: every response forbids foreign scripts, frames and content sniffing', async () => {
  for (const path of ['/', '/health', '/nothing']) {
    const { headers } = await fetch(origin + path);
    expect(headers.get('content-security-policy')).toMatch(
      /default-src 'none'; script-src 'self'.*frame-ancestors 'none'/,
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
});

test('status server: close ends open connections', async () => {
  await toDeviceStatus('/health');
  await statusServer.close();
  await statusServer.close();
  await expect(fetch(`${origin}/health`)).rejects.toThrow();
});
