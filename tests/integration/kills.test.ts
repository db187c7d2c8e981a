import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentProcess } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints, countRows } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

/** KILLS=200 npm test -- tests/integration/kills is the long form of this test. */
const KILLS = Number(process.env['KILLS'] ?? 12);
/** Enough samples for the backlog to last as long as the kills, at the upload rate that is set below. */
const BACKLOG = 8_000 * KILLS;
const MAX_LIFETIME_MS = 1_000;

let folder: string;
let database: string;
let server: VictoriaMetrics;
const agents = new Map<'collector' | 'uploader', AgentProcess>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kills-'));
  database = join(folder, 'metrics.db');
  server = await startVictoriaMetrics();
});

afterEach(async () => {
  for (const agent of agents.values()) await agent.kill('SIGKILL');
  agents.clear();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function start(program: 'collector' | 'uploader'): void {
  const agent = new AgentProcess(program, {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_DEVICE_ID: 'board-1',
    THUGSHELLS_REMOTE_URL: `${server.url}/api/v1/import`,
    THUGSHELLS_INTERVAL: '500ms',
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_UPLOAD_MAX_RATE: '100KiB/s',
    THUGSHELLS_CHUNK_MAX_BYTES: '16KiB',
    THUGSHELLS_RETRY_INITIAL: '100ms',
    THUGSHELLS_PROBE_INTERVAL: '200ms',
    THUGSHELLS_HEALTH_PORT: '0',
  });
  agents.set(program, agent);
}

/** Kills one of the three processes at a random moment and starts it again. */
async function killOne(): Promise<void> {
  await delay(Math.random() * MAX_LIFETIME_MS);
  const victim = (['collector', 'uploader', 'server'] as const)[Math.floor(Math.random() * 3)]!;
  if (victim === 'server') {
    await server.kill('SIGKILL');
    await server.restart();
  } else {
    await agents.get(victim)!.kill('SIGKILL');
    start(victim);
  }
}

test(`kills: after ${KILLS} kills of uploader, collector and receiver during a backlog the receiver has every stored sample once`, async () => {
  fillDatabase(database, { samples: BACKLOG, series: 500, deviceId: 'board-1' });
  start('collector');
  start('uploader');
  await until('the backlog is being sent', () => readBooks(database).delivered > 0);
  for (let kill = 0; kill < KILLS; kill++) {
    await killOne();
    const { collected, delivered, pending, rejected, dropped } = readBooks(database);
    expect(collected).toBe(delivered + pending + rejected + dropped);
    expect(pending).toBeGreaterThanOrEqual(0);
  }
  const uploads = (): number => agents.get('uploader')!.told('uploaded').length;
  const before = uploads();
  // Only then the last unconfirmed samples of a killed uploader or receiver are pending again.
  await until('the uploader delivers after the last kill', () => uploads() > before, 600_000);
  await until('the collector stores again', () => agents.get('collector')!.told('collector started').length > 0);
  expect(await agents.get('collector')!.stop()).toEqual({ code: 0, signal: null });
  await until('nothing is pending', () => readBooks(database).pending === 0, 600_000);
  expect(await agents.get('uploader')!.stop()).toEqual({ code: 0, signal: null });

  const { pending, delivered, rejected, dropped, collected } = readBooks(database);
  expect({ pending, rejected, dropped }).toEqual({ pending: 0, rejected: 0, dropped: 0 });
  expect(collected).toBe(delivered);
  expect(countRows(database)).toEqual({ pending, delivered, rejected });
  expect(collected).toBeGreaterThan(BACKLOG);
  expect(findDifferences(readStoredPoints(database), toStoredPoints(await server.export()))).toEqual([]);
}, 900_000);
