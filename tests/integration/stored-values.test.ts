import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { runToEnd, type AgentProcess } from '../support/agent-process.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let receiver: VictoriaMetrics;
let agents: AgentPair;

beforeEach(async () => {
  receiver = await startVictoriaMetrics();
  agents = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import`, COLLECTORS: 'cpu load memory self' });
});
afterEach(async () => {
  await agents.remove();
  await receiver.stop();
});

/** Lets both programs work on a new database, and ends them; one provisional row stays if the uploader is killed. */
async function makeDatabase(): Promise<void> {
  const collector = agents.start('collector');
  const uploader = agents.start('uploader');
  await until('something is delivered', () => uploader.told('uploaded').length > 1);
  await uploader.kill('SIGKILL');
  await collector.stop();
}

/** The tables and columns that the programs report an unreadable value of. */
function unreadable(agent: AgentProcess): string[] {
  return agent
    .told('stored value unreadable, default used')
    .map(({ table, column }) => `${String(table)}.${String(column)}`)
    .sort();
}

test('stored values: with an unreadable one in every column that has a default both programs start, say so and deliver', async () => {
  await makeDatabase();
  const database = openDatabase(agents.database);
  database.exec(
    `UPDATE collector_status SET durations = '{"counts":', since = 8640000000000001, last_scrape = 8640000000000001 WHERE collector = 'cpu';
     UPDATE uploader_state SET report = '{"counts":{},"uploads":[{"atMs":8640000000000001}]}';
     UPDATE storage_state SET wal_blocked_since = 8640000000000001, trouble_since = 'x';
     UPDATE collector_state SET heartbeat = 8640000000000001;
     UPDATE receiver_clock SET booted_at_ms = 'x'`,
  );
  database.close();
  const status = await runToEnd('uploader', agents.environment, ['status']);
  expect([status.stderr, status.code]).toEqual(['', expect.any(Number)]);
  const uploader = agents.start('uploader');
  await healthAt(await endpointOf(uploader));
  expect(unreadable(uploader)).toEqual([
    'collector_state.heartbeat',
    'collector_status.durations',
    'collector_status.last_scrape',
    'collector_status.since',
    'storage_state.trouble_since',
    'storage_state.wal_blocked_since',
    'uploader_state.report',
  ]);
  const collector = agents.start('collector');
  await until('both work', () => collector.isRunning && uploader.told('uploaded').length > 2);
  expect(unreadable(collector)).toContain('collector_status.durations');
  const { report } = await healthAt(await endpointOf(uploader));
  expect(report.components['collector.cpu']?.status).toBe('ok');
  await collector.stop();
  await until('everything is delivered', () => readBooks(agents.database).pending === 0);
  expect((await uploader.stop()).code).toBe(0);
});

test('stored values: provisional ranges that are unreadable lose nothing, and labels cost their own series only', async () => {
  await makeDatabase();
  const database = openDatabase(agents.database);
  database.exec(
    `INSERT INTO provisional (accepted_at, ranges) VALUES (0, '[[1,');
     UPDATE series SET tags = '{' WHERE name = 'load.average_1m';
     UPDATE series_copy SET tags = '{' WHERE name = 'load.average_1m'`,
  );
  const delivered = readBooks(agents.database).delivered;
  const own = database
    .prepare<[], number>(
      `SELECT COUNT(*) FROM samples AS m JOIN series AS s ON s.id = m.series_id WHERE s.name = 'load.average_1m'`,
    )
    .pluck()
    .get()!;
  database.close();
  const uploader = agents.start('uploader');
  await until('everything is sent again', () => {
    const { pending, rejected } = readBooks(agents.database);
    return pending === 0 && rejected === own;
  });
  expect(uploader.told('provisional rows unreadable, requeueing all delivered')).toHaveLength(1);
  expect(uploader.told('requeued unconfirmed samples')).toMatchObject([{ count: delivered }]);
  const { stdout } = await runToEnd('uploader', agents.environment, ['quarantine', '--limit', '1']);
  expect(stdout).toContain(`${own} samples in quarantine`);
  expect(stdout).toContain('the name and labels of its series cannot be read');
  expect((await uploader.stop()).code).toBe(0);
});
