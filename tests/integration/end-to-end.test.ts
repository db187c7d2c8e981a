import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentProcess } from '../support/agent-process.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints, countRows } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let folder: string;
let server: VictoriaMetrics;
const running = new Set<AgentProcess>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'end-to-end-'));
  server = await startVictoriaMetrics();
});

afterEach(async () => {
  for (const agent of running) await agent.kill('SIGKILL');
  running.clear();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function start(program: 'collector' | 'uploader', more: Record<string, string> = {}): AgentProcess {
  const agent = new AgentProcess(program, {
    THUGSHELLS_DB_PATH: join(folder, 'metrics.db'),
    THUGSHELLS_DEVICE_ID: 'board-1',
    THUGSHELLS_REMOTE_URL: `${server.url}/api/v1/import`,
    THUGSHELLS_INTERVAL: '1s',
    THUGSHELLS_UPLOAD_INTERVAL: '1s',
    THUGSHELLS_RETRY_INITIAL: '200ms',
    THUGSHELLS_HEALTH_PORT: '0',
    ...more,
  });
  running.add(agent);
  return agent;
}

async function untilDrained(): Promise<void> {
  await until('nothing is pending', () => readBooks(join(folder, 'metrics.db')).pending === 0, 60_000);
}

async function expectExactlyOnce(): Promise<void> {
  const stored = readStoredPoints(join(folder, 'metrics.db'));
  const exported = toStoredPoints(await server.export());
  expect(stored.length).toBeGreaterThan(100);
  expect(findDifferences(stored, exported)).toEqual([]);
}

test('kills: VictoriaMetrics has every stored sample exactly once after kills of uploader and receiver (A-49)', async () => {
  const database = join(folder, 'metrics.db');
  const collector = start('collector');
  let uploader = start('uploader');
  for (let kill = 1; kill <= 5; kill++) {
    await until('something more is delivered', () => readBooks(database).delivered > kill * 20);
    await uploader.kill('SIGKILL');
    uploader = start('uploader');
    if (kill === 3) {
      await until('the new uploader delivers', () => uploader.told('uploaded').length > 0);
      await server.kill('SIGKILL');
      await until('the uploader notices', () => uploader.told('upload failed, will retry').length > 0);
      await server.restart();
    }
  }
  // What the killed one had been promised last is pending again once the new one has begun.
  await until('the last uploader delivers', () => uploader.told('uploaded').length > 0);
  await until('some hundred samples are stored', () => readBooks(database).collected > 500);
  expect(await collector.stop()).toEqual({ code: 0, signal: null });
  await untilDrained();
  expect(await uploader.stop()).toEqual({ code: 0, signal: null });

  await expectExactlyOnce();
  const { pending, delivered, rejected, collected, dropped } = readBooks(database);
  expect({ pending, rejected, dropped }).toEqual({ pending: 0, rejected: 0, dropped: 0 });
  expect(collected).toBe(delivered);
  expect(countRows(database)).toEqual({ pending, delivered, rejected });
}, 180_000);

test('kills: samples that VictoriaMetrics lost when it was killed right after its response are sent again', async () => {
  const collector = start('collector');
  const uploader = start('uploader');
  await until('a first pass is delivered', () => uploader.told('uploaded').length > 0);
  await server.kill('SIGKILL');
  await server.restart();
  await until('the loss is noticed', () => uploader.told('requeued samples of lost connection').length > 0);
  await until('uploads continue', () => uploader.told('uploaded').length > 3);
  await collector.stop();
  await untilDrained();
  await uploader.stop();
  await expectExactlyOnce();
}, 120_000);

test('start: an uploader that starts first waits for the database and logs each reason once', async () => {
  const uploader = start('uploader');
  await until('the uploader waits', () => uploader.told('waiting for collector to prepare database').length > 0);
  await delay(1_500);
  start('collector');
  await until('it uploads', () => uploader.told('uploaded').length > 0);
  // On a busy machine it may also meet the database between two migrations.
  const reasons = uploader.told('waiting for collector to prepare database').map(({ reason }) => reason);
  expect(reasons).toEqual([...new Set(reasons)]);
});

test('start: a second collector or uploader on the same database exits with 75 and names the lock', async () => {
  const collector = start('collector');
  await until('the first one works', () => collector.told('collector started').length > 0);
  await until('the database is there', () => readBooks(join(folder, 'metrics.db')).collected > 0);
  const first = start('uploader');
  await until('the first uploader works', () => first.endpoint());
  for (const program of ['collector', 'uploader'] as const) {
    const second = start(program);
    expect(await second.ended).toEqual({ code: 75, signal: null });
    expect(second.log().find(({ error_code: code }) => code === 'ANOTHER_INSTANCE')?.['hint']).toContain(
      `${program}-lock`,
    );
  }
  expect(collector.isRunning && first.isRunning).toBe(true);
});
