import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let receiver: VictoriaMetrics;
let pair: AgentPair;

beforeEach(async () => {
  receiver = await startVictoriaMetrics();
  pair = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import` });
});

afterEach(async () => {
  await pair.remove();
  await receiver.stop();
});

function execute(sql: string): void {
  const database = openDatabase(pair.database);
  database.exec(sql);
  database.close();
}

test('database faults: one that only the timer of health meets ends no program, is logged once, shown by health, and over when it is gone', async () => {
  const collector = pair.start('collector');
  const uploader = pair.start('uploader');
  const endpoint = await endpointOf(uploader);
  await until('samples are delivered', () => readBooks(pair.database).delivered > 100);
  execute('ALTER TABLE losses RENAME TO losses_elsewhere');
  const told = () => uploader.told('cannot judge health, will retry');
  await until('the timer of health has met it', () => told().length > 0 || !uploader.isRunning);
  const { report, statuses } = await healthAt(endpoint);
  expect([report.status, statuses]).toEqual(['error', [503, 503, 200]]);
  expect(report.components['storage']).toMatchObject({
    status: 'error',
    message: 'cannot read the database; run: journalctl -u thugshells-uploader',
  });
  const { delivered } = readBooks(pair.database);
  // Longer than the timer's interval: it fails a second time.
  await delay(11_000);
  expect(readBooks(pair.database).delivered).toBeGreaterThan(delivered + 100);
  expect(told()).toHaveLength(1);
  expect(told()[0]!['stack']).toMatch(/at .*countDropped/);
  execute('ALTER TABLE losses_elsewhere RENAME TO losses');
  await until('the timer of health has found it gone', () => uploader.told('background work recovered').length > 0);
  await until('health is well', async () => (await healthAt(endpoint)).report.status === 'ok');
  expect([(await uploader.stop()).code, (await collector.stop()).code]).toEqual([0, 0]);
}, 120_000);
