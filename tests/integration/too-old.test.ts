import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';

import { healthAt } from '../support/agent-pair.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const SAMPLES = 6_000;
const DAY_MS = 86_400_000;

let folder: string;
let database: string;
let server: VictoriaMetrics;
let uploader: AgentProcess;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'too-old-'));
  database = join(folder, 'metrics.db');
  fillDatabase(database, { samples: SAMPLES, series: 50, deviceId: 'board-1' });
  const filled = openDatabase(database);
  // The first half is three days old.
  filled.exec(`INSERT INTO epochs (first_id, offset_ms, trusted, reason) VALUES (${SAMPLES / 2 + 1}, 0, 1, 'test');
    UPDATE epochs SET offset_ms = -${3 * DAY_MS} WHERE first_id < ${SAMPLES / 2}`);
  filled.close();
});
afterEach(async () => {
  await uploader.kill('SIGKILL');
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function start(retention: string, policy: string, path = '/api/v1/import'): Promise<void> {
  server = await startVictoriaMetrics({ flags: [`-retentionPeriod=${retention}`] });
  uploader = new AgentProcess('uploader', {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_DEVICE_ID: 'board-1',
    THUGSHELLS_REMOTE_URL: `${server.url}${path}`,
    THUGSHELLS_REMOTE_PROTOCOL: path === '/api/v1/write' ? 'remote-write' : 'victoriametrics',
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_PROBE_INTERVAL: '200ms',
    THUGSHELLS_RETRY_INITIAL: '100ms',
    THUGSHELLS_REPLAY_WINDOW: '0',
    THUGSHELLS_HEALTH_PORT: '0',
    THUGSHELLS_TOO_OLD: policy,
  });
}

/** How many samples the receiver has dropped because of their age. */
function ignored(): Promise<number | undefined> {
  return server.metric('vm_rows_ignored_total{reason="small_timestamp"}');
}

/** Stores a sample of now, as the collector does. */
function storeNewest(): void {
  const opened = openDatabase(database);
  opened
    .transaction(() => {
      opened
        .prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, 1, ?, 1)')
        .run(SAMPLES + 1, Date.now());
      opened.exec('UPDATE collector_state SET last_id = last_id + 1, collected = collected + 1');
    })
    .immediate();
  opened.close();
}

async function components() {
  const endpoint = await until('the status server listens', () => uploader.endpoint());
  return (await healthAt(endpoint)).report.components;
}

test.each(['/api/v1/import', '/api/v1/write'])(
  'too old samples: %s of a VictoriaMetrics that keeps a day gets none of three days, and the ledger says why',
  async (path) => {
    await start('1d', 'reject', path);
    await until('everything is settled', () => readBooks(database).pending === 0);
    const half = SAMPLES / 2;
    expect(readBooks(database)).toMatchObject({ collected: SAMPLES, delivered: half, rejected: half, dropped: 0 });
    const opened = openDatabase(database, { readonly: true });
    expect(opened.prepare('SELECT reason, COUNT(*) AS count FROM rejected GROUP BY reason').all()).toEqual([
      { reason: 'older than the receiver accepts', count: half },
    ]);
    opened.close();
    await until('health says so', async () => {
      const { storage } = await components();
      return storage?.status === 'degraded' && storage.message.includes('3,000 of them older than 1 d');
    });
    const stored = (await server.export()).reduce((sum, { timestamps }) => sum + timestamps.length, 0);
    expect([stored, (await ignored()) ?? 0]).toEqual([half, 0]);
  },
  60_000,
);

test('too old samples: are held as long as the receiver keeps a day, and sent once it keeps ten', async () => {
  await start('1d', 'hold');
  const half = SAMPLES / 2;
  await until('the others are delivered', () => readBooks(database).delivered === half);
  await until(
    'health names the held ones',
    async () => (await components())['uploader']?.message.startsWith('3,000 samples held: older than 1 d') === true,
  );
  expect(readBooks(database)).toMatchObject({ pending: half, rejected: 0 });
  expect((await ignored()) ?? 0).toBe(0);
  await server.kill('SIGTERM');
  storeNewest();
  await until('the receiver is missed', async () => (await components())['uploader']?.details['receiver'] === 'away');
  expect(readBooks(database).pending).toBe(half + 1);
  await server.restart(['-retentionPeriod=10d']);
  await until('they are delivered', () => readBooks(database).pending === 0);
  expect(readBooks(database)).toMatchObject({ delivered: SAMPLES + 1, rejected: 0 });
  const stored = (await server.export()).reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  expect(stored).toBe(SAMPLES + 1);
}, 120_000);
