import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { Prometheus } from '../support/prometheus.ts';
import { findDifferences, readBooks, readStoredPoints, toStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const SAMPLES = 6_000;
const SERIES = 50;

interface Report {
  readonly delivered: number;
  readonly missing: number;
  readonly requeued?: number;
  readonly series: readonly { readonly labels: Record<string, string>; readonly count: number }[];
  readonly foreign: { readonly samples: number };
  readonly not_judged: readonly { readonly reason: string }[];
}

let folder: string;
let database: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'verify-'));
  database = join(folder, 'metrics.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

function environmentOf(remoteUrl: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_DEVICE_ID: 'board-1',
    THUGSHELLS_REMOTE_URL: remoteUrl,
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_HEALTH_PORT: '0',
    ...more,
  };
}

/** Uploads everything that is pending, and ends the uploader, which confirms it. */
async function deliver(environment: Record<string, string>): Promise<void> {
  const uploader = new AgentProcess('uploader', { ...environment, THUGSHELLS_REPLAY_WINDOW: '0' });
  await until('everything is delivered', () => readBooks(database).pending === 0);
  await uploader.stop();
}

async function verify(
  environment: Record<string, string>,
  ...args: string[]
): Promise<{ readonly code: number | null; readonly report: Report; readonly stderr: string }> {
  const range = ['--from', '20d', '--to', 'now'];
  const { code, stdout, stderr } = await runToEnd('uploader', environment, ['verify', ...range, '--json', ...args]);
  return { code, stderr, report: (stdout === '' ? {} : JSON.parse(stdout)) as Report };
}

/** Stores samples that are older than the newest seconds, which are not judged. */
function fill({ samples = SAMPLES, agoMs = 60_000 } = {}): void {
  fillDatabase(database, { samples, series: SERIES, deviceId: 'board-1' });
  const filled = openDatabase(database);
  filled.exec(`UPDATE epochs SET offset_ms = -${agoMs}`);
  filled.close();
}

describe('verify: VictoriaMetrics', () => {
  let server: VictoriaMetrics;
  let environment: Record<string, string>;
  afterEach(() => server.stop());

  async function start(...flags: string[]): Promise<void> {
    server = await startVictoriaMetrics({ flags });
    environment = environmentOf(`${server.url}/api/v1/import`);
  }

  test('of a healthy receiver nothing is missing', async () => {
    await start();
    fill();
    await deliver(environment);
    await server.flush();
    const { code, report } = await verify(environment);
    expect(report).toMatchObject({ missing: 0, series: [], foreign: { samples: 0 } });
    expect(report.delivered).toBe(SAMPLES);
    expect(code).toBe(0);
  });

  test('what was deleted is named by series, requeued alone, and there again after the next upload', async () => {
    await start();
    fill();
    await deliver(environment);
    const before = readBooks(database);
    await server.flush();
    const selection = new URLSearchParams({ 'match[]': '{place=~"7|13"}' });
    await fetch(`${server.url}/api/v1/admin/tsdb/delete_series`, { method: 'POST', body: selection });
    const found = await verify(environment);
    expect(found.report.series.map(({ labels }) => labels['place']).sort()).toEqual(['13', '7']);
    expect(found.code).toBe(1);
    expect(readBooks(database)).toEqual(before);
    const { report } = await verify(environment, '--requeue');
    expect(report.requeued).toBe(found.report.missing);
    expect(readBooks(database)).toMatchObject({
      pending: report.missing,
      delivered: before.delivered - report.missing,
      collected: before.collected,
    });
    await deliver(environment);
    await server.flush();
    expect((await verify(environment)).report).toMatchObject({ missing: 0 });
  }, 60_000);

  test('after an older copy of its storage exactly what came since is missing, to the sample', async () => {
    const dir = join(folder, 'storage');
    server = await startVictoriaMetrics({ dir });
    environment = environmentOf(`${server.url}/api/v1/import`);
    fill();
    const lines = readStoredPoints(database);
    const half = lines.filter((_, index) => index % 3 === 0);
    await importPoints(half);
    await server.kill('SIGTERM');
    cpSync(dir, `${dir}.copy`, { recursive: true });
    await server.restart();
    await deliver(environment);
    await server.kill('SIGTERM');
    rmSync(dir, { recursive: true });
    cpSync(`${dir}.copy`, dir, { recursive: true });
    await server.restart();
    const { report } = await verify(environment, '--requeue');
    expect(report.missing).toBe(SAMPLES - half.length);
    expect((await verify(environment)).report.missing).toBe(0);
    expect(readBooks(database).pending).toBe(report.missing);
    await deliver(environment);
    expect((await verify(environment)).report.missing).toBe(0);
    expect(findDifferences(lines, toStoredPoints(await server.export()))).toEqual([]);
  }, 60_000);

  async function importPoints(points: ReturnType<typeof readStoredPoints>): Promise<void> {
    const body = points
      .map(({ series, value, timestampMs }) => {
        const metric = Object.fromEntries(JSON.parse(series) as [string, string][]);
        return JSON.stringify({ metric, values: [value], timestamps: [timestampMs] });
      })
      .join('\n');
    await fetch(`${server.url}/api/v1/import`, { method: 'POST', body });
  }

  test('deduplication by 10 s is no loss', async () => {
    await start('-dedup.minScrapeInterval=10s');
    fill();
    await deliver(environment);
    await server.flush();
    const kept = (await server.export()).reduce((sum, { timestamps }) => sum + timestamps.length, 0);
    expect(kept).toBeLessThan(SAMPLES / 5);
    const { code, report } = await verify(environment);
    expect(report).toMatchObject({ missing: 0, foreign: { samples: 0 } });
    expect(code).toBe(0);
  });

  test('samples of another device under the same id are named, and hide nothing that is missing', async () => {
    await start();
    fill();
    await deliver(environment);
    const lost = readStoredPoints(database).slice(0, SERIES);
    await server.flush();
    await fetch(`${server.url}/api/v1/admin/tsdb/delete_series`, {
      method: 'POST',
      body: new URLSearchParams({ 'match[]': '{device_id="board-1"}' }),
    });
    await importPoints(readStoredPoints(database).slice(SERIES));
    const others = [250, 500].map((ms) => lost.map((point) => ({ ...point, timestampMs: point.timestampMs + ms })));
    for (const points of others) await importPoints(points);
    await server.flush();
    const { code, report } = await verify(environment);
    expect(report).toMatchObject({ missing: SERIES, foreign: { samples: 2 * SERIES } });
    expect(code).toBe(1);
  }, 30_000);

  test('a label that is added on the way changes nothing', async () => {
    await start();
    environment = environmentOf(`${server.url}/api/v1/import?extra_label=site%3Dberlin`);
    fill();
    await deliver(environment);
    await server.flush();
    expect((await verify({ ...environment, THUGSHELLS_QUERY_URL: server.url })).code).toBe(0);
    expect((await verify(environment)).code).toBe(0);
  });

  test('a receiver that cannot be read ends it with 3 and the variable, and requeues nothing', async () => {
    await start();
    fill();
    await deliver(environment);
    const before = readBooks(database);
    const elsewhere = { ...environment, THUGSHELLS_QUERY_URL: `${server.url}/nothing/here` };
    const { code, stderr } = await verify(elsewhere, '--requeue');
    expect([code, stderr]).toEqual([3, expect.stringContaining('THUGSHELLS_QUERY_URL')]);
    const { stdout } = await runToEnd('uploader', elsewhere, ['verify', '--from', '20d', '--to', 'now']);
    expect(stdout).toContain('nothing is missing of these, and the rest was not compared');
    await server.kill('SIGTERM');
    expect((await verify(environment, '--requeue')).code).toBe(3);
    expect(readBooks(database)).toEqual(before);
  });

  test('what a relabeling rule drops is named, and again when it was sent again', async () => {
    const rules = join(folder, 'relabel.yml');
    writeFileSync(rules, '- action: drop\n  source_labels: [place]\n  regex: "7"\n');
    await start(`-relabelConfig=${rules}`);
    fill();
    await deliver(environment);
    await server.flush();
    for (const args of [['--requeue'], []]) {
      const { code, report } = await verify(environment, ...args);
      expect(report.series.map(({ labels, count }) => [labels['place'], count])).toEqual([['7', SAMPLES / SERIES]]);
      expect(code).toBe(1);
      await deliver(environment);
      await server.flush();
    }
  }, 60_000);

  test('what is beyond the retention of the receiver is not judged, and said', async () => {
    await start('-retentionPeriod=1d');
    fill({ agoMs: 3 * 86_400_000 });
    await deliver(environment);
    await server.flush();
    const { code, report } = await verify(environment);
    expect(report).toMatchObject({ delivered: 0, missing: 0 });
    expect(report.not_judged.map(({ reason }) => reason)).toContain('older than the retention of the receiver');
    expect(code).toBe(0);
  });

  test('nothing is missing while both programs run', async () => {
    await start();
    fill();
    const both = { ...environment, THUGSHELLS_INTERVAL: '200ms' };
    const agents = (['collector', 'uploader'] as const).map((program) => new AgentProcess(program, both));
    await until('the first samples are delivered', () => readBooks(database).delivered >= SAMPLES);
    await until('verify has judged them all', async () => (await verify(both)).report.delivered >= SAMPLES);
    for (let round = 0; round < 3; round++) {
      const { code, report } = await verify(both, '--requeue');
      expect(report).toMatchObject({ missing: 0, requeued: 0, foreign: { samples: 0 } });
      expect(code).toBe(0);
    }
    for (const agent of agents) await agent.stop();
  }, 60_000);

  test('killed while it requeues it leaves a part of it pending, and the next one requeues the rest', async () => {
    await start();
    fill({ samples: 200_000 });
    await deliver(environment);
    const before = readBooks(database);
    await server.stop();
    await start();
    const killed = new AgentProcess('uploader', environment, ['verify', '--from', '1d', '--to', 'now', '--requeue']);
    await until('some are requeued', () => readBooks(database).pending > 0);
    await killed.kill('SIGKILL');
    const left = readBooks(database);
    expect(left.delivered).toBeGreaterThan(0);
    expect(left.pending + left.delivered).toBe(before.collected);
    const { report } = await verify(environment, '--requeue');
    expect(report).toMatchObject({ missing: left.delivered, requeued: left.delivered });
    expect(readBooks(database)).toMatchObject({ pending: before.collected, delivered: 0 });
  }, 60_000);

  test('a range without rows has nothing missing, and one without an end is bad usage', async () => {
    await start();
    fill();
    const { code, stdout } = await runToEnd('uploader', environment, ['verify', '--from', '9d', '--to', '8d']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('nothing is missing')]);
    expect((await runToEnd('uploader', environment, ['verify', '--from', '9d'])).code).toBe(2);
  });
});

test('verify: of a Prometheus nothing is missing, and everything once its folder was emptied', async () => {
  const prometheus = await Prometheus.start('1d');
  try {
    const environment = environmentOf(`${prometheus.url}/api/v1/write`, {
      THUGSHELLS_REMOTE_PROTOCOL: 'remote-write',
    });
    fill();
    await deliver(environment);
    const healthy = await verify(environment);
    expect([healthy.code, healthy.report.missing, healthy.report.foreign.samples]).toEqual([0, 0, 0]);
    await prometheus.empty('1d');
    const emptied = await verify(environment, '--requeue');
    expect(emptied.code).toBe(1);
    expect(emptied.report.missing).toBe(healthy.report.delivered);
    expect(emptied.report.requeued).toBe(emptied.report.missing);
    await deliver(environment);
    expect((await verify(environment)).code).toBe(0);
  } finally {
    await prometheus.stop();
  }
}, 60_000);
