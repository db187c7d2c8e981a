import { mkdtempSync, openSync, closeSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE } from '@thugshells/shared/database/open.ts';

import { AgentProcess } from '../support/agent-process.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let folder: string;
let path: string;
let receiver: VictoriaMetrics;
let collector: AgentProcess;
let uploader: AgentProcess;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'replaced-'));
  path = join(folder, 'metrics.db');
  receiver = await startVictoriaMetrics();
});

afterEach(async () => {
  await Promise.all([collector?.kill('SIGKILL'), uploader?.kill('SIGKILL')]);
  await receiver.stop();
  rmSync(folder, { recursive: true });
});

/** Overwrites a leaf page of the table `samples`. */
function corruptSamplesPage(): void {
  const database = openDatabase(path, { readonly: true });
  const page = database
    .prepare<[], number>(`SELECT pageno FROM dbstat WHERE name = 'samples' AND pagetype = 'leaf' LIMIT 1 OFFSET 4`)
    .pluck()
    .get()!;
  database.close();
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.alloc(PAGE_SIZE, 0xa5), 0, PAGE_SIZE, (page - 1) * PAGE_SIZE);
  closeSync(descriptor);
}

test('replaced database: the collector replaces a database that the uploader finds corrupt, and readable samples are delivered once', async () => {
  const environment = {
    THUGSHELLS_DB_PATH: path,
    THUGSHELLS_INTERVAL: '200ms',
    THUGSHELLS_WAL_CHECKPOINT_INTERVAL: '1s',
    THUGSHELLS_LOG_LEVEL: 'debug',
  };
  collector = new AgentProcess('collector', environment);
  await until(
    'there are rows in the database’s file',
    () => collector.told('WAL checkpoint').length >= 3 && readBooks(path).collected > 1_500,
  );
  corruptSamplesPage();
  const remote = {
    THUGSHELLS_REMOTE_URL: `${receiver.url}/api/v1/import`,
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_HEALTH_PORT: '0',
  };
  uploader = new AgentProcess('uploader', { ...environment, ...remote });
  await until('the collector has replaced the database', () => collector.told('salvage finished').length > 0, 60_000);
  await until('the uploader has noticed', () => uploader.told('database replaced, reopening').length > 0, 60_000);
  await until('new samples arrive from the new database', () => readBooks(path).delivered > 2_000, 60_000);
  expect((await collector.stop()).code).toBe(0);
  await until('everything has arrived', () => readBooks(path).pending === 0, 60_000);
  expect((await uploader.stop()).code).toBe(0);
  expect(readdirSync(folder).filter((name) => /damaged-\d+T\d+Z$/.test(name))).toHaveLength(1);
  const { collected, delivered, dropped, rejected } = readBooks(path);
  expect({ collected, rejected }).toEqual({ collected: delivered + dropped, rejected: 0 });
  expect(dropped).toBeLessThan(120);
  // What the old database had delivered before is in the receiver too.
  const stored = new Set(readStoredPoints(path).map(({ series, timestampMs }) => `${timestampMs} ${series}`));
  const arrived = toStoredPoints(await receiver.export()).filter(({ series, timestampMs }) =>
    stored.has(`${timestampMs} ${series}`),
  );
  expect(findDifferences(readStoredPoints(path), arrived)).toEqual([]);
}, 180_000);
