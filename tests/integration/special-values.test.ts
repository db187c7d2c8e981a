/** NaN, the end of a series, infinity and −0, from a text file and the database to a real Prometheus and a real VictoriaMetrics. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';
import { STALE_MARKER, toStoredValue, type NumericValue } from '@thugshells/shared/metrics/sample-value.ts';

import { AgentPair } from '../support/agent-pair.ts';
import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { findProgram, readVersion } from '../../deploy/scripts/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import { readRaw } from '../support/remote-read.ts';
import { postRemoteWrite } from '../support/remote-write-bodies.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const isCurrent = !(await readVersion(await findProgram('prometheus'))).startsWith('2.');
const METRIC = 'network_rx_bytes_total';
/** The last one ends the series. */
const VALUES: readonly NumericValue[] = [1.5, NaN, -0, 0, Infinity, -Infinity, 7, STALE_MARKER];
const BITS = [
  '3ff8000000000000',
  '7ff8000000000001',
  // Prometheus writes no field for −0 by remote read; it has the sign, as a query shows.
  '0000000000000000',
  '0000000000000000',
  '7ff0000000000000',
  'fff0000000000000',
  '401c000000000000',
  '7ff0000000000002',
];
const AGO_MS = 60_000;

let folder: string;
let database: string;
const releases: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'special-values-'));
  database = join(folder, 'metrics.db');
});

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
  rmSync(folder, { recursive: true });
});

async function startPrometheus(): Promise<Prometheus> {
  const prometheus = await Prometheus.start();
  releases.push(() => prometheus.stop());
  return prometheus;
}

async function startServer(): Promise<VictoriaMetrics> {
  const server = await startVictoriaMetrics();
  releases.push(() => server.stop());
  return server;
}

/** Stores one series with all values, a second apart; returns the time of the first. */
function fill(): number {
  fillDatabase(database, { samples: VALUES.length, series: 1, deviceId: 'board-1' });
  const filled = openDatabase(database);
  filled.exec(`UPDATE epochs SET offset_ms = -${AGO_MS}`);
  VALUES.forEach((value, index) =>
    filled.prepare('UPDATE samples SET value = ? WHERE id = ?').run(toStoredValue(value), index + 1),
  );
  const firstMs = filled.prepare<[], number>('SELECT MIN(timestamp_ms) FROM samples').pluck().get()! - AGO_MS;
  filled.close();
  return firstMs;
}

function environmentFor(path: string, protocol: 'remote-write' | 'victoriametrics'): Record<string, string> {
  return {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_DEVICE_ID: 'board-1',
    THUGSHELLS_REMOTE_PROTOCOL: protocol,
    THUGSHELLS_REMOTE_URL: path,
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_HEALTH_PORT: '0',
    THUGSHELLS_REPLAY_WINDOW: '0',
  };
}

async function deliver(environment: Record<string, string>): Promise<void> {
  const uploader = new AgentProcess('uploader', environment);
  releases.push(() => uploader.kill('SIGKILL'));
  await until('nothing is pending', () => readBooks(database).pending === 0);
  await uploader.stop();
}

/** The values of an instant query, at a time. */
async function queryAt(url: string, timeMs: number): Promise<string[]> {
  const query = new URLSearchParams({ query: METRIC, time: String(timeMs / 1000), step: '30s' });
  const response = await fetch(`${url}/api/v1/query?${query.toString()}`, { headers: { connection: 'close' } });
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return data.result.map(({ value }) => value[1]);
}

async function countMissing(environment: Record<string, string>): Promise<unknown> {
  const range = ['--from', '1h', '--to', 'now', '--json'];
  const { stdout, stderr } = await runToEnd('uploader', environment, ['verify', ...range]);
  const { delivered, missing, foreign } = JSON.parse(stdout || stderr) as Record<string, { samples: number }>;
  return [delivered, missing, foreign!.samples];
}

describe('special values: a Prometheus', () => {
  test('has them bit for bit by remote write, the series ends at the marker, and nothing is missing', async () => {
    const prometheus = await startPrometheus();
    const firstMs = fill();
    const environment = environmentFor(`${prometheus.url}/api/v1/write`, 'remote-write');
    await deliver(environment);
    expect(readBooks(database)).toMatchObject({ delivered: VALUES.length, rejected: 0 });
    const raw = await readRaw(prometheus.url, METRIC, firstMs, firstMs + 60_000);
    expect(raw).toEqual(BITS.map((bits, index) => ({ bits, timestampMs: firstMs + index * 1000 })));
    const instants = [500, 1_500, 2_500, 3_500, 6_900, 7_100];
    const found = await Promise.all(instants.map((afterMs) => queryAt(prometheus.url, firstMs + afterMs)));
    expect(found).toEqual([['1.5'], ['NaN'], ['-0'], ['0'], ['7'], []]);
    expect(await countMissing(environment)).toEqual([VALUES.length, 0, 0]);
  });

  test.each(isCurrent ? (['1.0', '2.0'] as const) : (['1.0'] as const))(
    'has them bit for bit by version %s',
    async (version) => {
      const prometheus = await startPrometheus();
      const firstMs = Date.now() - AGO_MS;
      const samples = VALUES.map((value, index) => [firstMs + index * 1000, value] as const);
      expect(await postRemoteWrite(prometheus.url, version, [{ name: METRIC, samples }])).toMatchObject({
        status: 204,
        written: version === '2.0' ? String(VALUES.length) : null,
      });
      expect((await readRaw(prometheus.url, METRIC, firstMs, Date.now())).map(({ bits }) => bits)).toEqual(BITS);
      expect(await queryAt(prometheus.url, firstMs + 2_500)).toEqual(['-0']);
    },
  );

  test('has NaN and −0 of a text file, and a label of 10 KB', async () => {
    const prometheus = await startPrometheus();
    const long = 'x'.repeat(10_240);
    writeFileSync(
      join(folder, 'limits.prom'),
      `limit{of="none"} NaN\nlimit{of="zero"} -0\nlimit{of="up"} +Inf\nlimit{of="long",path="${long}"} 5\n`,
    );
    const pair = new AgentPair({
      REMOTE_PROTOCOL: 'remote-write',
      REMOTE_URL: `${prometheus.url}/api/v1/write`,
      COLLECTORS: 'textfile',
      TEXTFILE_DIR: folder,
    });
    releases.push(() => pair.remove());
    pair.start('collector');
    pair.start('uploader');
    await until('four series are there', async () => {
      const raw = await readRaw(prometheus.url, 'limit', Date.now() - 600_000, Date.now() + 60_000);
      return new Set(raw.map(({ bits }) => bits)).size === 4;
    });
    const found = (await prometheus.export()).filter(({ metric }) => metric['__name__'] === 'limit');
    expect(found.find(({ metric }) => metric['of'] === 'long')!.metric['path']).toBe(long);
    expect(readBooks(pair.database).rejected).toBe(0);
    const once = await runToEnd('collector', pair.environment, ['once']);
    expect([
      once.code,
      once.stdout.match(/"limit".*"values":\[[^\]]*\]/g)!.map((line) => /\[.*/.exec(line)![0]),
    ]).toEqual([0, ['["NaN"]', '[-0]', '[1e999]', '[5]']]);
  });
});

describe('special values: a VictoriaMetrics', () => {
  test('drops NaN of remote write, ends the series at the marker, and nothing is missing', async () => {
    const server = await startServer();
    const firstMs = fill();
    const environment = environmentFor(`${server.url}/api/v1/write`, 'remote-write');
    await deliver(environment);
    expect(readBooks(database)).toMatchObject({ delivered: VALUES.length, rejected: 0 });
    const [series] = await server.export(METRIC);
    expect(series!.timestamps.map((timestampMs) => (timestampMs - firstMs) / 1000)).toEqual([0, 2, 3, 4, 5, 6, 7]);
    expect(series!.values).toEqual([1.5, 0, 0, Infinity, -Infinity, 7, null]);
    expect(await queryAt(server.url, firstMs + 6_900)).toEqual(['7']);
    expect(await queryAt(server.url, firstMs + 7_100)).toEqual([]);
    expect(await countMissing(environment)).toEqual([VALUES.length, 0, 0]);
  });

  test('gets what it has values for if its own protocol is set while special values are pending; the others are rejected by name', async () => {
    const server = await startServer();
    const firstMs = fill();
    const environment = environmentFor(`${server.url}/api/v1/import`, 'victoriametrics');
    await deliver(environment);
    expect(readBooks(database)).toMatchObject({ delivered: VALUES.length - 2, rejected: 2 });
    const [series] = await server.export(METRIC);
    expect(series!.timestamps.map((timestampMs) => (timestampMs - firstMs) / 1000)).toEqual([0, 2, 3, 4, 5, 6]);
    expect(series!.values).toEqual([1.5, 0, 0, Infinity, -Infinity, 7]);
    const { stdout } = await runToEnd('uploader', environment, ['quarantine']);
    expect(stdout.match(/\} \S+: .*/g)).toEqual([
      '} StaleNaN: the end of a series has no value',
      '} NaN: value NaN is not finite',
    ]);
  });
});
