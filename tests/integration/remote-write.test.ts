/** The uploader as a sender of Prometheus remote write, to a real Prometheus and a real VictoriaMetrics. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { findProgram, readVersion } from '../../deploy/scripts/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { SwitchingProxy, type ForwardedWrite } from '../support/switching-proxy.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';

const HOUR_MS = 3_600_000;

/** Prometheus 2 knows remote write 1.0 only. */
const newestVersion = (await readVersion(await findProgram('prometheus'))).startsWith('2.') ? '0.1.0' : '2.0.0';

let folder: string;
let database: string;
const releases: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'remote-write-'));
  database = join(folder, 'metrics.db');
});

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
  rmSync(folder, { recursive: true });
});

async function startPrometheus(outOfOrderWindow?: string): Promise<Prometheus> {
  const prometheus = await Prometheus.start(outOfOrderWindow);
  releases.push(() => prometheus.stop());
  return prometheus;
}

function environmentFor(receiver: { readonly url: string }): Record<string, string> {
  const variables = {
    ...{ DB_PATH: database, REMOTE_PROTOCOL: 'remote-write', REMOTE_URL: `${receiver.url}/api/v1/write` },
    ...{
      UPLOAD_INTERVAL: '500ms',
      PROBE_INTERVAL: '200ms',
      RETRY_INITIAL: '50ms',
      RETRY_ATTEMPTS: '1',
      HEALTH_PORT: '0',
    },
  };
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [`THUGSHELLS_${name}`, value]));
}

function startUploader(receiver: { readonly url: string }): AgentProcess {
  const uploader = new AgentProcess('uploader', environmentFor(receiver));
  releases.push(() => uploader.kill('SIGKILL'));
  return uploader;
}

function startAged(samples: number, ageMs: number): void {
  fillDatabase(database, { samples, series: 50, deviceId: 'board-1' });
  const open = openDatabase(database);
  open.prepare('UPDATE samples SET timestamp_ms = timestamp_ms - ?').run(BigInt(ageMs));
  open.close();
}

test('a Prometheus as it comes holds a backlog whole, each sample once, oldest first in chunks that grow', async () => {
  const prometheus = await startPrometheus();
  const samples = fillDatabase(database, { samples: 20_000, series: 50, deviceId: 'board-1' });
  const uploader = startUploader(prometheus);
  await until('everything is delivered', () => readBooks(database).pending === 0);
  await uploader.stop();
  expect(readBooks(database)).toMatchObject({ delivered: samples, rejected: 0 });
  expect(findDifferences(readStoredPoints(database), toStoredPoints(await prometheus.export()))).toEqual([]);
  const passes = uploader.told('uploaded');
  expect(passes.reduce((sum, { chunks }) => sum + Number(chunks), 0)).toBeLessThan(200);
});

test('a VictoriaMetrics holds the same through its remote write address', async () => {
  const server = await startVictoriaMetrics();
  releases.push(() => server.stop());
  const samples = fillDatabase(database, { samples: 20_000, series: 50, deviceId: 'board-1' });
  const uploader = startUploader(server);
  await until('everything is delivered', () => readBooks(database).pending === 0);
  await uploader.stop();
  expect(readBooks(database)).toMatchObject({ delivered: samples, rejected: 0 });
  expect(findDifferences(readStoredPoints(database), toStoredPoints(await server.export()))).toEqual([]);
});

test('what both programs collect and send live is in Prometheus as it is stored, texts and histograms too', async () => {
  const prometheus = await startPrometheus();
  const pair = new AgentPair({
    REMOTE_PROTOCOL: 'remote-write',
    REMOTE_URL: `${prometheus.url}/api/v1/write`,
    COLLECTORS: 'cpu,memory,load,self',
    LABELS: 'site=berlin,rack=3',
  });
  releases.push(() => pair.remove());
  const collector = pair.start('collector');
  const uploader = pair.start('uploader');
  await until('a few scrapes are delivered', () => readBooks(pair.database).delivered > 300);
  await collector.stop();
  await until('everything is delivered', () => readBooks(pair.database).pending === 0);
  await uploader.stop();
  expect(readBooks(pair.database).rejected).toBe(0);
  const exported = await prometheus.export();
  expect(findDifferences(readStoredPoints(pair.database), toStoredPoints(exported))).toEqual([]);
  const sites = exported.map(({ metric }) => `${metric['site']} ${metric['rack']} ${metric['device_id']}`);
  expect([...new Set(sites)]).toEqual(['berlin 3 board-1']);
});

/** What a metric is, as a receiver returns it. */
interface ReturnedMetadata {
  readonly data: Readonly<
    Record<string, readonly { readonly type: string; readonly help?: string; readonly unit?: string }[]>
  >;
}

test('metadata of the device’s metrics and of a text file’s reaches a VictoriaMetrics that keeps it; an older one takes the samples', async () => {
  const server = await startVictoriaMetrics();
  releases.push(() => server.stop());
  const textFiles = mkdtempSync(join(folder, 'textfiles-'));
  writeFileSync(
    join(textFiles, 'pump.prom'),
    '# HELP pump_wait_seconds Waited for water.\n# TYPE pump_wait_seconds histogram\npump_wait_seconds_bucket{le="+Inf"} 2\npump_wait_seconds_sum 1.5\npump_wait_seconds_count 2\n',
  );
  const pair = new AgentPair({
    REMOTE_PROTOCOL: 'remote-write',
    REMOTE_URL: `${server.url}/api/v1/write`,
    COLLECTORS: 'memory,textfile',
    TEXTFILE_DIR: textFiles,
  });
  releases.push(() => pair.remove());
  pair.start('collector');
  pair.start('uploader');
  await until('some samples are delivered', () => readBooks(pair.database).delivered > 20);
  expect(readBooks(pair.database).rejected).toBe(0);
  const keepsMetadata = !(await readVersion(await findProgram('victoria-metrics'))).startsWith('1.7');
  const { data } = (await (await fetch(`${server.url}/api/v1/metadata`)).json()) as ReturnedMetadata;
  expect([data['memory_used_bytes'], data['pump_wait_seconds'], data['pump_wait_seconds_sum']]).toEqual(
    keepsMetadata
      ? [
          [{ type: 'gauge', unit: 'bytes', help: expect.any(String) }],
          [{ type: 'histogram', help: 'Waited for water.' }],
          undefined,
        ]
      : [undefined, undefined, undefined],
  );
});

describe('remote write: a Prometheus with an out-of-order window', () => {
  test('has each sample once after it was killed during a backlog', async () => {
    const prometheus = await startPrometheus('30d');
    const samples = fillDatabase(database, { samples: 120_000, series: 400, deviceId: 'board-1' });
    const uploader = startUploader(prometheus);
    await until('some of it is delivered', () => readBooks(database).delivered > 0);
    await prometheus.restart('30d', 'SIGKILL');
    await until('everything is delivered', () => readBooks(database).pending === 0);
    await uploader.stop();
    expect(readBooks(database)).toMatchObject({ delivered: samples, rejected: 0 });
    expect(findDifferences(readStoredPoints(database), toStoredPoints(await prometheus.export()))).toEqual([]);
  });

  test('has requeued samples once', async () => {
    const prometheus = await startPrometheus('30d');
    const samples = fillDatabase(database, { samples: 5_000, series: 50, deviceId: 'board-1' });
    const uploader = startUploader(prometheus);
    await until('everything is delivered', () => readBooks(database).pending === 0);
    await uploader.stop();
    await runToEnd('uploader', environmentFor(prometheus), [
      'requeue',
      '--from',
      '2020-01-01T00:00:00Z',
      '--to',
      '2100-01-01T00:00:00Z',
    ]);
    expect(readBooks(database).pending).toBe(samples);
    const again = startUploader(prometheus);
    await until('everything is delivered again', () => readBooks(database).pending === 0);
    await again.stop();
    expect(readBooks(database)).toMatchObject({ delivered: samples, rejected: 0 });
    expect(findDifferences(readStoredPoints(database), toStoredPoints(await prometheus.export()))).toEqual([]);
  });
});

test('a backlog that is too old for a Prometheus without a window waits, with the reason in health, until it has one', async () => {
  const prometheus = await startPrometheus();
  startAged(5_000, 3 * HOUR_MS);
  // A board whose samples are of now, beside which those of three hours ago are out of bounds.
  const pair = new AgentPair({
    REMOTE_PROTOCOL: 'remote-write',
    REMOTE_URL: `${prometheus.url}/api/v1/write`,
    COLLECTORS: 'load',
    DEVICE_ID: 'board-2',
  });
  releases.push(() => pair.remove());
  pair.start('collector');
  pair.start('uploader');
  await until('the other board’s samples are there', () => readBooks(pair.database).delivered > 0);

  const uploader = startUploader(prometheus);
  await until('it is held', () => uploader.told('uploads paused: rejected by receiver').length > 0);
  const endpoint = await endpointOf(uploader);
  const reason = /every sample is rejected: HTTP 400: out of bounds/;
  await until('health has the reason', async () => reason.test(JSON.stringify((await healthAt(endpoint)).report)));
  expect(readBooks(database)).toMatchObject({ delivered: 0, rejected: 0, pending: 5_000 });

  await prometheus.restart('30d');
  await until('everything is delivered', () => readBooks(database).pending === 0);
  expect(readBooks(database)).toMatchObject({ delivered: 5_000, rejected: 0 });
  const own = toStoredPoints(await prometheus.export()).filter(({ series }) => series.includes('"board-1"'));
  expect(findDifferences(readStoredPoints(database), own)).toEqual([]);
});

/** Starts a proxy in front of a receiver. */
async function startProxy(target: string): Promise<SwitchingProxy> {
  const proxy = await SwitchingProxy.start(target);
  releases.push(() => proxy.stop());
  return proxy;
}

const hasSamplesOf = (version: string, writes: readonly ForwardedWrite[]): boolean =>
  writes.some(
    (write) => write.version === version && write.status === 204 && (version === '0.1.0' || Number(write.written) > 0),
  );

test('a Prometheus gets the newest version of remote write that it knows, and 2.0 counts as delivered what its header counts', async () => {
  const prometheus = await startPrometheus();
  const proxy = await startProxy(prometheus.url);
  const samples = fillDatabase(database, { samples: 20_000, series: 50, deviceId: 'board-1' });
  const uploader = startUploader(proxy);
  await until('everything is delivered', () => readBooks(database).pending === 0);
  await uploader.stop();
  expect(readBooks(database)).toMatchObject({ delivered: samples, rejected: 0 });
  expect(findDifferences(readStoredPoints(database), toStoredPoints(await prometheus.export()))).toEqual([]);
  // The first request has no samples, and asks for the version.
  const [question, ...others] = proxy.writes;
  expect(question!.version).toBe('2.0.0');
  expect([...new Set(others.map(({ version }) => version))]).toEqual([newestVersion]);
  const written = others.filter(({ version }) => version === '2.0.0').map((write) => Number(write.written));
  if (newestVersion === '2.0.0') expect(Math.min(...written)).toBeGreaterThan(0);
  else expect(written).toEqual([]);
});

test('a Prometheus that is downgraded to one without 2.0 and upgraded again gets every sample from a running uploader, by 1.0 until that is restarted', async () => {
  const current = await startPrometheus('30d');
  const older = await Prometheus.start('30d', 'debian');
  releases.push(() => older.stop());
  const proxy = await startProxy(current.url);
  const pair = new AgentPair({
    REMOTE_PROTOCOL: 'remote-write',
    REMOTE_URL: `${proxy.url}/api/v1/write`,
    COLLECTORS: 'cpu,memory,load',
  });
  releases.push(() => pair.remove());
  const collector = pair.start('collector');
  let uploader = pair.start('uploader');
  await until('the newest version is spoken', () => hasSamplesOf(newestVersion, proxy.writes));

  for (const receiver of [older, current]) {
    const { refused } = proxy;
    proxy.switchTo(undefined);
    await until('the receiver is missed', () => proxy.refused > refused);
    const { delivered } = readBooks(pair.database);
    const { length } = proxy.writes;
    proxy.switchTo(receiver.url);
    await until('1.0 is spoken', () => hasSamplesOf('0.1.0', proxy.writes.slice(length)));
    await until('more is delivered', () => readBooks(pair.database).delivered > delivered);
  }
  await uploader.stop();
  const { length } = proxy.writes;
  uploader = pair.start('uploader');
  await until('the newest version is spoken again', () => hasSamplesOf(newestVersion, proxy.writes.slice(length)));
  await collector.stop();
  await until('everything is delivered', () => readBooks(pair.database).pending === 0);
  await uploader.stop();
  expect(readBooks(pair.database).rejected).toBe(0);
  const keyOf = ({ series, timestampMs }: ReturnType<typeof toStoredPoints>[number]): string =>
    `${series} ${timestampMs}`;
  const held = new Map(
    [...toStoredPoints(await older.export()), ...toStoredPoints(await current.export())].map((point) => [
      keyOf(point),
      point,
    ]),
  );
  expect(findDifferences(readStoredPoints(pair.database), [...held.values()])).toEqual([]);
});
